package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"alignd/config"
)

// webFilesAge is for how long the files of TLS are taken for what was read of them; ours.
const webFilesAge = 10 * time.Second

// webTLS is how browsers are spoken to; nil is in the clear. Its files are read again
// when they change, as certificates are renewed every few weeks.
func webTLS(w *config.Web, log *slog.Logger) (*tls.Config, error) {
	if w.TLS.CertFile == "" {
		return nil, nil
	}
	f := &webFiles{files: w.TLS, log: log}
	if err := f.read(); err != nil {
		return nil, err
	}
	f.looked = time.Now()
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.current(time.Now()), nil }}, nil
}

// webFiles are the files of TLS.
type webFiles struct {
	files config.WebTLS
	log   *slog.Logger

	mu     sync.Mutex
	looked time.Time
	seen   []os.FileInfo // of what now was read from
	now    *tls.Config
	said   string // the last fault that the log has
}

// current is what the files say. While they are faulty, as between the writing of two of
// them, what they said before holds.
func (f *webFiles) current(now time.Time) *tls.Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.looked).Abs() < webFilesAge {
		return f.now
	}
	f.looked = now
	if !f.changed() {
		return f.now
	}
	said := ""
	if err := f.read(); err != nil {
		if said = err.Error(); said != f.said {
			f.log.Warn("the files of web.tls cannot be read, so those of before hold", "err", err)
		}
	} else {
		f.log.Info("the files of web.tls were read again")
	}
	f.said = said
	return f.now
}

func (f *webFiles) names() []string {
	list := []string{f.files.CertFile, f.files.KeyFile}
	if f.files.ClientCAFile != "" {
		list = append(list, f.files.ClientCAFile)
	}
	return list
}

func (f *webFiles) changed() bool {
	for i, name := range f.names() {
		info, err := os.Stat(name)
		if err != nil || !os.SameFile(info, f.seen[i]) || !info.ModTime().Equal(f.seen[i].ModTime()) || info.Size() != f.seen[i].Size() {
			return true
		}
	}
	return false
}

func (f *webFiles) read() error {
	var seen []os.FileInfo
	for _, name := range f.names() {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("web.tls: %w", err)
		}
		seen = append(seen, info)
	}
	pair, err := tls.LoadX509KeyPair(f.files.CertFile, f.files.KeyFile)
	if err != nil {
		return fmt.Errorf("web.tls: %w", err)
	}
	// Without tickets each connection is checked by what the files say now. HTTP/2 is left
	// out: pages are few, and it lets a client begin and take back any number of requests.
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}, SessionTicketsDisabled: true}
	if f.files.ClientCAFile != "" {
		text, err := os.ReadFile(f.files.ClientCAFile)
		if err != nil {
			return fmt.Errorf("web.tls: %w", err)
		}
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		if !c.ClientCAs.AppendCertsFromPEM(text) {
			return errors.New("web.tls: " + f.files.ClientCAFile + " holds no certificate")
		}
	}
	f.seen, f.now = seen, c
	return nil
}
