package interop

import (
	"fmt"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/verify"
	"alignd/verify/dkim"
)

// score is what a run of the forms comes to.
type score struct {
	signed, twins tally // by signer; by change
	exclusions    tally
	fits, fitting int // messages and twins with the result they should have
	wrong         samples
}

func (s *score) log(t *testing.T) {
	t.Helper()
	s.signed.log(t, "messages signed, by signer")
	t.Logf("as expected: %d of %d messages and %d of %d changed ones", s.fits, s.signed.total(), s.fitting, s.twins.total())
	s.twins.log(t, "changed messages, by change")
	s.exclusions.log(t, "exclusions: forms that a signer cannot make")
	s.wrong.log(t)
}

// twin is a signed message, or one with a change; ours is our verdict.
type twin struct {
	*signed
	change  string // empty for the message itself
	message string
	keys    keys
	ours    evidence.Signature
}

func (w *twin) String() string {
	if w.change == "" {
		return fmt.Sprintf("%s, %s, %s", w.signer.name, w.form.name, w.canon)
	}
	return fmt.Sprintf("%s, %s, %s, %s", w.signer.name, w.form.name, w.canon, w.change)
}

// check verifies a signed message and all its changed twins with our verifier
// and returns them.
func (s *score) check(t *testing.T, m *signed) []twin {
	t.Helper()
	opt := &verify.Options{}
	all := []twin{{signed: m, message: m.text(), keys: keys{keyName: m.signer.key.record}}}
	zone := all[0].keys.zone(t)
	all[0].ours = topmost(ours(zone, opt, all[0].message, 0))
	s.signed.add(m.signer.name)
	want := evidence.Pass
	if m.form.length == partLength {
		want = evidence.Policy
		lenient := &verify.Options{DKIM: dkim.Options{AcceptLength: true}}
		if got := topmost(ours(zone, lenient, all[0].message, 0)); got.Result != evidence.Pass {
			t.Errorf("%s: with AcceptLength got %s (%s)\n%q", &all[0], got.Result, got.Reason, all[0].message)
		}
	}
	if got := all[0].ours; got.Result != want {
		s.wrong.errorf(t, m.signer.by+": unchanged", "%s: got %s (%s), want %s\n%.4000q", &all[0], got.Result, got.Reason, want, all[0].message)
		return nil
	}
	s.fits++
	if m.form.lifetime {
		for _, shift := range []time.Duration{-2 * lifetime, 2 * lifetime} {
			there := &verify.Options{Now: func() time.Time { return time.Now().Add(shift) }}
			if got := topmost(ours(zone, there, all[0].message, 0)); got.Result == evidence.Pass {
				t.Errorf("%s: passes at %v from now\n%q", &all[0], shift, all[0].message)
			}
		}
	}
	for i, c := range changes {
		d := m.draft()
		if !c.make(d) {
			continue
		}
		w := twin{signed: m, change: c.name, message: d.message(), keys: d.keys}
		if w.message == all[0].message && d.keys[keyName] == m.signer.key.record {
			t.Errorf("%s changes nothing in %q", c.name, w.message)
			continue
		}
		if d.keys[keyName] != m.signer.key.record {
			w.ours = topmost(ours(d.keys.zone(t), opt, w.message, 0))
		} else {
			w.ours = topmost(ours(zone, opt, w.message, 1+i*7))
		}
		s.twins.add(c.name)
		passes := w.ours.Result == evidence.Pass
		if want := c.effect.survives(m.canon) && m.form.length != partLength; passes != want {
			s.wrong.errorf(t, fmt.Sprintf("%s: want pass: %v", c.name, want), "%s: got %s (%s)\n%.4000q", &w, w.ours.Result, w.ours.Reason, w.message)
		} else {
			s.fitting++
		}
		all = append(all, w)
	}
	return all
}

// Every form that go-msgauth signs passes, and the twins turn out as they
// should. This needs no package.
func TestFormsSignedByMsgauth(t *testing.T) {
	t.Parallel()
	signers := []*signer{
		{by: "msgauth", name: "go-msgauth, RSA 2048", key: rsaKey(t, 2048)},
		{by: "msgauth", name: "go-msgauth, Ed25519", key: ed25519Key(t)},
	}
	var s score
	for _, m := range s.byMsgauth(t, signers) {
		s.check(t, m)
	}
	s.log(t)
}

// orders lists what the signers are to sign, and counts the exclusions.
func (s *score) orders(signers []*signer) (all []*signed) {
	for _, by := range signers {
		list := forms()
		for i := range list {
			for _, c := range canons {
				why, lacks := by.excluded(&list[i], c)
				if why != "" {
					s.exclusions.add(why)
				}
				if !lacks {
					all = append(all, &signed{form: &list[i], canon: c, signer: by, excluded: why})
				}
			}
		}
	}
	return all
}

// accept takes a signature, or what went wrong, and reports whether there is a
// signed message to be checked.
func (s *score) accept(t *testing.T, m *signed, field, problem string) bool {
	t.Helper()
	m.field = field
	switch {
	case m.excluded == "" && problem != "":
		s.wrong.errorf(t, m.signer.by+" does not sign", "%s: %s", &twin{signed: m}, problem)
	case m.excluded != "" && problem == "":
		if got := topmost(ours(keys{keyName: m.signer.key.record}.zone(t), &verify.Options{}, m.text(), 0)); got.Result == evidence.Pass {
			s.wrong.errorf(t, "not needed: "+m.excluded, "%s", &twin{signed: m})
		}
	}
	return m.excluded == "" && problem == ""
}

func (s *score) byMsgauth(t *testing.T, signers []*signer) (all []*signed) {
	for _, m := range s.orders(signers) {
		field, err := m.signer.msgauth(m.form, m.canon)
		problem := ""
		if err != nil {
			problem = err.Error()
		}
		if s.accept(t, m, field, problem) {
			all = append(all, m)
		}
	}
	return all
}

// byPeers has dkimpy and libopendkim sign.
func (s *score) byPeers(t *testing.T, signers []*signer) (all []*signed) {
	orders := s.orders(signers)
	jobs := make([]job, len(orders))
	for i, m := range orders {
		jobs[i] = m.signer.job(m.form, m.canon)
	}
	for i, r := range peers(t, jobs) {
		if s.accept(t, orders[i], string(r.Field), r.Error) {
			all = append(all, orders[i])
		}
	}
	return all
}

// Every form that dkimpy, libopendkim and go-msgauth sign passes, the twins
// turn out as they should, and both verifiers of Debian say the same of the
// messages and of every second twin.
func TestFormsAgainstPeers(t *testing.T) {
	t.Parallel()
	needPeers(t)
	start := time.Now()
	signers := []*signer{
		{by: "dkimpy", name: "dkimpy, RSA 1024", key: rsaKey(t, 1024)},
		{by: "dkimpy", name: "dkimpy, Ed25519", key: ed25519Key(t)},
		{by: "opendkim", name: "libopendkim, RSA 2048 of opendkim-genkey", key: genkey(t, "2048")},
		{by: "opendkim", name: "libopendkim, Ed25519", key: ed25519Key(t)},
	}
	var s score
	messages := s.byPeers(t, signers)
	messages = append(messages, s.byMsgauth(t, []*signer{{by: "msgauth", name: "go-msgauth, RSA 2048", key: rsaKey(t, 2048)}})...)
	t.Logf("signed after %v", time.Since(start).Round(time.Millisecond))
	var all []twin
	for n, m := range messages {
		for i, w := range s.check(t, m) {
			if w.change == "" || (i+n)%2 == 0 { // over the signers each change has its turn with each form
				all = append(all, w)
			}
		}
	}
	t.Logf("verified by us after %v", time.Since(start).Round(time.Millisecond))
	s.log(t)
	s.compare(t, all)
	t.Logf("verified by all after %v", time.Since(start).Round(time.Millisecond))
}

// compare asks both peers about every message.
func (s *score) compare(t *testing.T, all []twin) {
	jobs := make([]job, len(all))
	for i, w := range all {
		jobs[i] = job{Do: "verify", Message: []byte(w.message), Keys: w.keys}
	}
	var agree, differ tally
	for i, r := range peers(t, jobs) {
		w := &all[i]
		for _, peer := range []struct{ name, says string }{{name: "dkimpy", says: r.Dkimpy}, {name: "libopendkim", says: r.Opendkim}} {
			passes := w.ours.Result == evidence.Pass
			if theirs := peer.says == "pass"; theirs == passes {
				agree.add(peer.name)
				continue
			}
			if why := w.disagreement(t, peer.name); why != "" {
				differ.add(peer.name + " " + why)
				continue
			}
			s.wrong.errorf(t, fmt.Sprintf("%s, change %q, ours %s", peer.name, w.change, w.ours.Result),
				"%s: ours %s (%s), %s says %q\n%.4000q", w, w.ours.Result, w.ours.Reason, peer.name, peer.says, w.message)
		}
	}
	s.wrong.log(t)
	t.Logf("messages and twins judged by both verifiers: %d", len(all))
	agree.log(t, "agreements with verifiers")
	differ.log(t, "documented disagreements")
}
