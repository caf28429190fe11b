package replay

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"alignd/evidence"
	"alignd/policy"
	"alignd/record"
)

// encoded is a batch of records.
type encoded [][]byte

func (b encoded) Records(found func([]byte)) error {
	for _, e := range b {
		found(e)
	}
	return nil
}

// broken is a batch that cannot be unpacked.
type broken struct{}

func (broken) Records(func([]byte)) error { return errors.New("damaged") }

// stream are batches of mail of many domains, a part of which fails.
func stream(t *testing.T, batches, each int) (list []Batch) {
	t.Helper()
	rules := compiled(t, policy.Spec{})
	for b := range batches {
		var batch encoded
		for i := range each {
			n := b*each + i
			ev := message([]evidence.Result{evidence.Pass, evidence.Pass, evidence.Fail}[n%3])
			ev.Token, ev.Time = fmt.Sprintf("t%05d", n), noon.Add(time.Duration(n)*time.Second)
			ev.Client.Peer = netip.AddrFrom4([4]byte{192, 0, byte(n % 7), byte(n)})
			ev.DMARC[0].AuthorDomain = fmt.Sprintf("d%d.example", n%50)
			batch = append(batch, record.Append(nil, judgedBy(ev, rules)))
		}
		list = append(list, batch)
	}
	return list
}

func run(t *testing.T, o *RunOptions, list []Batch) *Result {
	t.Helper()
	res, err := Run(o, func(add func(Batch)) error {
		for _, b := range list {
			add(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// However many workers there are, the result is the same to the last sample.
func TestTheResultDoesNotDependOnWorkers(t *testing.T) {
	list := stream(t, 40, 25)
	var first *Result
	for _, workers := range []int{0, 1, 2, 3, 16} {
		for _, by := range [][]Dimension{{ByDomain, ByClient, ByRule}, {ByClient}, {ByRule}} {
			o := &RunOptions{Options: Options{Rules: compiled(t, block(policy.Proof{Clients: nets("192.0.3.0/24")}, policy.Tag)), Shape: had},
				By: by, Samples: 3, Workers: workers}
			res := run(t, o, list)
			if len(by) == 1 {
				for _, g := range first.Groupings {
					if g.By == by[0] && !reflect.DeepEqual(g, res.Groupings[0]) {
						t.Errorf("%s alone: got %+v\nwant %+v", g.By, res.Groupings[0], g)
					}
				}
				continue
			}
			if first == nil {
				first = res
			}
			if !reflect.DeepEqual(first, res) {
				t.Errorf("%d workers: got %+v\nwant %+v", workers, res, first)
			}
		}
	}
	c := &first.Counters
	if c.Total != 1000 || c.Changed != c.WouldMark || c.WouldMark != c.MarkPassing || c.Unchanged+c.Changed != c.Total || c.WouldMark == 0 {
		t.Errorf("got %+v", c)
	}
	if len(first.Flips) != 1 || len(first.Flips[0].Samples) != 3 || first.Flips[0].Samples[0].Token <= first.Flips[0].Samples[1].Token {
		t.Errorf("want one flip and the newest three of it: %+v", first.Flips)
	}
	for _, all := range first.Groupings {
		var sum uint64
		for _, g := range all.Groups {
			sum += g.WouldMark
		}
		if sum != c.WouldMark {
			t.Errorf("the groups by %s have %d messages, want %d", all.By, sum, c.WouldMark)
		}
	}
}

func TestBoundsOfTimeAndWhatCannotBeRead(t *testing.T) {
	list := append(stream(t, 4, 25), broken{}, encoded{[]byte("x")})
	res := run(t, &RunOptions{Options: Options{Rules: compiled(t, policy.Spec{}), Shape: had}, Since: noon.Add(10 * time.Second), Until: noon.Add(20 * time.Second), Workers: 2}, list)
	if res.Counters.Total != 10 || !res.First.Equal(noon.Add(10*time.Second)) || !res.Last.Equal(noon.Add(19*time.Second)) {
		t.Errorf("got %+v", res)
	}
	if res.Counters.Unreadable != 2 || res.Problem == nil || res.Problem.Error() != "damaged" {
		t.Errorf("got %d, %v", res.Counters.Unreadable, res.Problem)
	}
}

func TestManyGroupsAreOneGroup(t *testing.T) {
	all := newTally(&RunOptions{By: []Dimension{ByDomain}}).groups[0]
	for i := range maxGroups + 10 {
		all.at(fmt.Sprint(i)).Total++
	}
	all.at("5").Total++
	if len(all.of) != maxGroups+1 || all.of[Others].Total != 10 || all.of["5"].Total != 2 {
		t.Errorf("%d groups, %d others", len(all.of), all.of[Others].Total)
	}
}

// bad is a batch that panics after its records.
type bad struct{ encoded }

func (b bad) Records(found func([]byte)) error {
	_ = b.encoded.Records(found)
	panic("a fault of unpacking")
}

// A fault of ours in one message ends neither the others nor the process, and is told.
func TestAPanicOfAWorkerIsTold(t *testing.T) {
	list := stream(t, 3, 25)
	list[1] = bad{list[1].(encoded)}
	prepare := func(r *record.Record) *record.Record {
		if r.Evidence.Token == "t00030" {
			panic("a fault of judging")
		}
		return r
	}
	res := run(t, &RunOptions{Options: Options{Rules: compiled(t, policy.Spec{}), Shape: had, Prepare: prepare}, Workers: 2}, list)
	if c := &res.Counters; c.Unreadable != 2 || c.Total != 74 || res.Problem == nil || res.Problem.Error() != "judging a record: panic: a fault of judging" {
		t.Errorf("%+v, %v", c, res.Problem)
	}
}

func TestBounds(t *testing.T) {
	c := &Counters{Total: 200, WouldRefuse: 10, RefusePassing: 0, CannotTell: 1}
	for _, row := range []struct {
		text     string
		value    float64
		exceeded bool
		fault    string
	}{
		{text: "would_refuse>0", value: 10, exceeded: true},
		{text: "would_refuse > 10", value: 10},
		{text: "would_refuse>=5%", value: 5, exceeded: true},
		{text: "would_refuse>5%", value: 5},
		{text: "would_refuse_passing>0", value: 0},
		{text: "would_refuse_passing!=0", value: 0},
		{text: "total<1000", value: 200, exceeded: true},
		{text: "total<=199", value: 200},
		{text: "cannot_tell==1", value: 1, exceeded: true},
		{text: "cannot_tell>0.4%", value: 0.5, exceeded: true},
		{text: "would_refuse=0", fault: "write =="},
		{text: "would_refse>0", fault: "there is no counter"},
		{text: "would_refuse", fault: "is no bound"},
		{text: "would_refuse>-1", fault: "is no bound"},
		{text: "would_refuse>0>1", fault: "is no bound"},
		{text: "would_refuse>1e3", fault: "is no bound"},
		{text: "", fault: "is no bound"},
	} {
		b, err := ParseBound(row.text)
		if row.fault != "" {
			if err == nil || !strings.Contains(err.Error(), row.fault) {
				t.Errorf("%q: %v, want %q", row.text, err, row.fault)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", row.text, err)
			continue
		}
		if value, exceeded := b.Exceeded(c); value != row.value || exceeded != row.exceeded {
			t.Errorf("%q: got %v, %t", row.text, value, exceeded)
		}
	}
	b, _ := ParseBound("cannot_tell>0%")
	if value, exceeded := b.Exceeded(new(Counters)); value != 0 || exceeded {
		t.Errorf("of no messages: %v, %t", value, exceeded)
	}
}

// Each counter has the name that JSON gives it.
func TestCountersAreNamedAsInJSON(t *testing.T) {
	typ := reflect.TypeFor[Counters]()
	if typ.NumField() != len(counterNames) {
		t.Fatalf("%d fields, %d names", typ.NumField(), len(counterNames))
	}
	var c Counters
	v := reflect.ValueOf(&c).Elem()
	for i := range typ.NumField() {
		v.Field(i).SetUint(uint64(i + 1))
		if tag := typ.Field(i).Tag.Get("json"); tag != counterNames[i] {
			t.Errorf("%s is %q in JSON and %q in bounds", typ.Field(i).Name, tag, counterNames[i])
		}
		if n, ok := c.Named(counterNames[i]); !ok || n != uint64(i+1) {
			t.Errorf("%s: got %d", counterNames[i], n)
		}
	}
}
