package send

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// sink is an SMTP server that does what it is told with mail.
type sink struct {
	mailErr, rcptErr, dataErr error
	hangUp                    bool // after the final dot, without an answer
	conn                      func() net.Conn
	got                       bytes.Buffer
	from, to, user            string
	tls                       bool
}

func (s *sink) NewSession(c *smtp.Conn) (smtp.Session, error) {
	s.conn = c.Conn
	return s, nil
}
func (s *sink) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *sink) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if s.user = user; password != "secret" {
			return errors.New("no")
		}
		return nil
	}), nil
}
func (s *sink) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	_, s.tls = s.conn().(*tls.Conn)
	return s.mailErr
}
func (s *sink) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = to; return s.rcptErr }
func (s *sink) Data(r io.Reader) error {
	s.got.Reset()
	if _, err := io.Copy(&s.got, r); err != nil {
		return err
	}
	if s.hangUp {
		s.conn().Close()
	}
	return s.dataErr
}
func (s *sink) Reset()        {}
func (s *sink) Logout() error { return nil }

// certificate is one that nobody has signed.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"relay.here.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serve runs s on loopback.
func serve(t *testing.T, s *sink, withTLS bool) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(s)
	server.Domain, server.AllowInsecureAuth, server.ErrorLog = "relay.here.test", true, quiet{}
	if withTLS {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func TestSMTP(t *testing.T) {
	for _, test := range []struct {
		name                 string
		sink                 sink
		withTLS              bool
		smtp                 SMTP
		want                 string // of the error; empty for none
		lost                 bool
		temporary, noMailbox bool
		check                func(*sink) bool
	}{
		{name: "taken", smtp: SMTP{TLS: TLSOffered}, check: func(s *sink) bool {
			return s.from == "a@here.test" && s.to == "b@there.test" && !s.tls && strings.Contains(s.got.String(), ".dot")
		}},
		{name: "TLS where it is offered, whoever has signed", withTLS: true, smtp: SMTP{TLS: TLSOffered}, check: func(s *sink) bool { return s.tls }},
		{name: "no TLS where it is not wanted", withTLS: true, smtp: SMTP{TLS: TLSNone}, check: func(s *sink) bool { return !s.tls }},
		{name: "TLS that is required and not offered", smtp: SMTP{TLS: TLSRequire}, want: "offers no STARTTLS"},
		{name: "TLS that is required, and a certificate that nobody has signed", withTLS: true, smtp: SMTP{TLS: TLSRequire}, want: "certificate"},
		{name: "AUTH", smtp: SMTP{TLS: TLSOffered, User: "me", Password: "secret"}, check: func(s *sink) bool { return s.user == "me" }},
		{name: "AUTH with a wrong password", smtp: SMTP{TLS: TLSOffered, User: "me", Password: "x"}, want: "454 no", temporary: true},
		{name: "put off", sink: sink{rcptErr: &smtp.SMTPError{Code: 451, Message: "later"}}, smtp: SMTP{TLS: TLSOffered}, want: "451 later", temporary: true},
		{name: "refused", sink: sink{rcptErr: &smtp.SMTPError{Code: 550, Message: "no such user"}}, smtp: SMTP{TLS: TLSOffered}, want: "550 no such user", noMailbox: true},
		{name: "the relay does not know us", sink: sink{rcptErr: &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Relay access denied"}}, smtp: SMTP{TLS: TLSOffered}, want: "554 Relay access denied", temporary: true},
		{name: "the relay does not take our sender", sink: sink{mailErr: &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 8}, Message: "no"}}, smtp: SMTP{TLS: TLSOffered}, want: "550 no", temporary: true},
		{name: "no such user", sink: sink{rcptErr: &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no"}}, smtp: SMTP{TLS: TLSOffered}, want: "550 no", noMailbox: true},
		{name: "refused after the mail", sink: sink{dataErr: &smtp.SMTPError{Code: 554, Message: "no"}}, smtp: SMTP{TLS: TLSOffered}, want: "554 no"},
		{name: "an answer that is lost", sink: sink{hangUp: true}, smtp: SMTP{TLS: TLSOffered}, want: "lost", lost: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.smtp.Network, test.smtp.Address, test.smtp.Hello = "tcp", serve(t, &test.sink, test.withTLS), "mx.here.test"
			err := test.smtp.Send(context.Background(), "a@here.test", "b@there.test", []byte("Subject: x\r\n\r\n.dot\r\n"))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) || errors.Is(err, ErrLost) != test.lost {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if test.check != nil && !test.check(&test.sink) {
				t.Errorf("the relay saw %+v %q", &test.sink, test.sink.got.String())
			}
			var no *Refusal
			if errors.As(err, &no); no != nil && (no.Temporary != test.temporary || no.NoMailbox != test.noMailbox) || no == nil && (test.temporary || test.noMailbox) {
				t.Errorf("refusal %+v, want temporary %v, no mailbox %v", no, test.temporary, test.noMailbox)
			}
		})
	}
}

// A password goes in clear text to nobody but this host.
func TestAPasswordWantsTLS(t *testing.T) {
	for _, test := range []struct {
		smtp SMTP
		want TLS
	}{
		{SMTP{Network: "tcp", Address: "192.0.2.1:587", TLS: TLSOffered, User: "me"}, TLSRequire},
		{SMTP{Network: "tcp", Address: "relay.here.test:587", TLS: TLSNone, User: "me"}, TLSRequire},
		{SMTP{Network: "tcp", Address: "127.0.0.1:25", TLS: TLSOffered, User: "me"}, TLSOffered},
		{SMTP{Network: "unix", Address: "/run/relay", TLS: TLSNone, User: "me"}, TLSNone},
		{SMTP{Network: "tcp", Address: "192.0.2.1:25", TLS: TLSOffered}, TLSOffered},
	} {
		if got := test.smtp.mode(); got != test.want {
			t.Errorf("%+v: %s, want %s", test.smtp, got, test.want)
		}
	}
}

func TestARelayThatIsAway(t *testing.T) {
	s := SMTP{Network: "unix", Address: filepath.Join(t.TempDir(), "none"), Hello: "mx.here.test", TLS: TLSOffered}
	err := s.Send(context.Background(), "a@here.test", "b@there.test", []byte("\r\n"))
	var no *Refusal
	if err == nil || errors.Is(err, ErrLost) || errors.As(err, &no) {
		t.Errorf("%v", err)
	}
}

// A relay that takes a connection and says no more keeps nobody who ends waiting: it has
// five minutes for each answer.
func TestARelayThatHangsHoldsUpNoEnd(t *testing.T) {
	for _, test := range []struct{ name, says string }{
		{name: "it greets nobody"},
		{name: "it answers no EHLO", says: "220 relay.test\r\n"},
		{name: "it answers no STARTTLS", says: "220 relay.test\r\n250-relay.test\r\n250 STARTTLS\r\n"},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for n := 1; ; n++ {
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				io.WriteString(c, test.says)
				if n == 2 || !strings.Contains(test.says, "STARTTLS") { // the second one begins TLS
					time.AfterFunc(50*time.Millisecond, cancel)
				}
			}
		}()
		s := SMTP{Network: "tcp", Address: l.Addr().String(), Hello: "mx.here.test", TLS: TLSOffered}
		begun := time.Now()
		err = s.Send(ctx, "a@here.test", "b@there.test", []byte("\r\n"))
		if took := time.Since(begun); err == nil || errors.Is(err, ErrLost) || took > time.Minute {
			t.Errorf("%s: %v after %v", test.name, err, took)
		}
	}
}

func TestSendmail(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "sendmail")
	for _, test := range []struct {
		name, script string
		refused      bool
		temporary    bool
		lost         bool
	}{
		{name: "taken", script: `[ "$*" = "-i -f a@here.test -- b@there.test" ] && cat > "$0.mail"`},
		{name: "put off", script: "exit 75", refused: true, temporary: true},
		{name: "its disk is full", script: "exit 74", refused: true, temporary: true},
		{name: "its MTA is stopped", script: "exit 69", refused: true, temporary: true},
		{name: "it is not there", script: "exec /nowhere/sendmail", refused: true, temporary: true},
		{name: "refused", script: "echo no; exit 67", refused: true},
		{name: "no such host", script: "exit 68", refused: true},
		{name: "killed", script: "kill -9 $$", lost: true},
		{name: "taken, by what leaves a queue runner behind", script: "cat > /dev/null; sleep 3600 & echo $! > \"$0.pid\""},
		{name: "refused with many words", script: "yes | head -c 1000000; exit 65", refused: true},
	} {
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+test.script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		err := (&Sendmail{program}).Send(context.Background(), "a@here.test", "b@there.test", []byte("Subject: x\r\n\r\nbody\r\n"))
		var no *Refusal
		if errors.As(err, &no) != test.refused || no != nil && no.Temporary != test.temporary || errors.Is(err, ErrLost) != test.lost || (err == nil) != (!test.refused && !test.lost) {
			t.Errorf("%s: %v", test.name, err)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: %d octets of its words", test.name, len(err.Error()))
		}
	}
	endNamed(t, program+".pid")
	if got, err := os.ReadFile(program + ".mail"); err != nil || string(got) != "Subject: x\n\nbody\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// A wrapper's own program has the output still when the wrapper is ended.
func TestSendmailThatHangsBehindAWrapper(t *testing.T) {
	program := filepath.Join(t.TempDir(), "sendmail")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nsleep 3600 &\necho $! > \"$0.pid\"\nwait\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // once it runs
		defer cancel()
		for range 6000 {
			if text, err := os.ReadFile(program + ".pid"); err == nil && len(text) > 0 {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	begun := time.Now()
	err := (&Sendmail{program}).Send(ctx, "a@here.test", "b@there.test", []byte("\r\n"))
	if took := time.Since(begun); !errors.Is(err, ErrLost) || took > 5*time.Minute {
		t.Errorf("%v after %v", err, took)
	}
	endNamed(t, program+".pid")
}

// endNamed ends the process that a script left behind.
func endNamed(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}
