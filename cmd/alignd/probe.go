package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alignd/authres"
	"alignd/config"
	"alignd/doctor"
	"alignd/doctor/facts"
	"alignd/evidence"
	"alignd/filter/probe"
)

// probeFlags are limits and form of `alignd probe`.
type probeFlags struct {
	config            string
	client            string
	timeout           time.Duration
	warning, critical time.Duration
	refusedOK         bool
	json              bool
}

func probeCommand() *cobra.Command {
	var f probeFlags
	c := &cobra.Command{
		Use:   "probe [flags] [ADDRESS]",
		Short: "Send a message through the running filter, and say what came back",
		Long: `Send a message through the running filter as an MTA would, and say what came
back, in the form of monitoring plug-ins.

ADDRESS is unix:PATH or inet:HOST:PORT; without, every place of the option
listen, or where that is not set and no --config is given, of the sockets that
systemd holds (alignd.socket). Exit status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

The message comes from ` + probe.Address + `, a name that exists nowhere, and from
` + probe.Client.String() + `, an address for documentation. Nothing is delivered. The
filter logs it like any message, with a queue_id that begins with "probe-".`,
		Args: atMostOne,
		RunE: func(c *cobra.Command, args []string) error {
			return runProbe(c.Context(), &f, args, c.OutOrStdout())
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.config, "config", "", "configuration file that says where to (default "+config.DefaultFile+", if it exists)")
	flags.StringVar(&f.client, "client", probe.Client.String(), "address of the SMTP client; it must be one whose mail is judged")
	flags.DurationVar(&f.timeout, "timeout", 25*time.Second, "how long the answer may take at most")
	flags.DurationVar(&f.warning, "warning", 5*time.Second, "WARNING when it takes longer")
	flags.DurationVar(&f.critical, "critical", 20*time.Second, "CRITICAL when it takes longer")
	flags.BoolVar(&f.refusedOK, "refused-ok", false, "that the message is refused for good is OK, as under unauthenticated: reject")
	flags.BoolVar(&f.json, "json", false, "print one JSON object instead")
	return c
}

// states are the words of monitoring plug-ins, by exit status.
var states = []string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}

// The exit statuses of a probe.
const (
	probeOK = iota
	probeWarning
	probeCritical
)

// probed is what came of one place.
type probed struct {
	Place   string  `json:"place"`
	State   string  `json:"state"`
	Message string  `json:"message"`
	Seconds float64 `json:"seconds"`
	// Code is 0 when nothing answered.
	Code    int    `json:"code"`
	Reply   string `json:"reply"`
	Held    bool   `json:"held"`
	QueueID string `json:"queue_id"`
	Results string `json:"authentication_results"`
	status  int
}

func runProbe(ctx context.Context, f *probeFlags, args []string, out io.Writer) error {
	places, client, err := f.targets(args, func() []string { return facts.Places(ctx, facts.Options{}) })
	if err != nil {
		return probeUnknown(out, f.json, err)
	}
	worst := probeOK
	var all []probed
	for _, place := range places {
		one, err := f.probe(ctx, place, client)
		if err != nil {
			return probeUnknown(out, f.json, err)
		}
		worst = max(worst, one.status)
		all = append(all, one)
	}
	if f.json {
		err = printProbes(out, worst, "", all)
	} else {
		_, err = io.WriteString(out, f.lines(worst, all))
	}
	if err != nil || worst != probeOK {
		return ended{worst, err}
	}
	return nil
}

// probeUnknown also tells on standard output, where monitoring reads.
func probeUnknown(out io.Writer, asJSON bool, err error) error {
	if asJSON {
		_ = printProbes(out, exitUnknown, doctor.Visible(err.Error()), []probed{}) // the status tells, too
	} else {
		fmt.Fprintf(out, "ALIGND UNKNOWN - %s\n", plain(err.Error()))
	}
	return ended{exitUnknown, nil}
}

// targets are the places to try and the client's address. held are those of systemd.
func (f *probeFlags) targets(args []string, held func() []string) ([]string, netip.Addr, error) {
	client, err := netip.ParseAddr(f.client)
	if err != nil {
		return nil, client, fmt.Errorf("--client: %q is no IP address", f.client)
	}
	if f.timeout <= 0 {
		return nil, client, fmt.Errorf("--timeout: %s is no time to wait", f.timeout)
	}
	if f.warning > f.critical {
		return nil, client, fmt.Errorf("--warning (%s) is above --critical (%s)", f.warning, f.critical)
	}
	if len(args) > 0 {
		return args, client, nil
	}
	cfg, err := config.Load(f.config)
	if err != nil {
		return nil, client, err
	}
	if f.config == "" && !cfg.ListenWritten() {
		if places := held(); len(places) > 0 {
			return places, client, nil
		}
	}
	return cfg.Listen, client, nil
}

// dialAddress is a place as net.Dial wants it; a filter that listens on all addresses
// is reached on loopback.
func dialAddress(place string) (network, address string, err error) {
	if kind, name, ok := strings.Cut(place, ":"); ok && (kind == "unix" || kind == "local") {
		if !strings.HasPrefix(name, "/") {
			return "", "", fmt.Errorf("%q is relative: name the socket from the root, as Postfix means it below its queue directory", place)
		}
		return "unix", name, nil
	}
	if strings.HasPrefix(place, "/") {
		return "unix", place, nil
	}
	host, port, ok := doctor.SplitTCP(place)
	if n, err := strconv.ParseUint(port, 10, 16); !ok || err != nil || n == 0 {
		return "", "", fmt.Errorf("%q is no place: use unix:PATH or inet:HOST:PORT", place)
	}
	switch host {
	case "", "*", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return "tcp", net.JoinHostPort(host, port), nil
}

func (f *probeFlags) probe(ctx context.Context, place string, client netip.Addr) (probed, error) {
	network, address, err := dialAddress(place)
	if err != nil {
		return probed{}, err
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	var id [6]byte
	_, _ = rand.Read(id[:]) // never fails
	p := probed{Place: place, QueueID: "probe-" + hex.EncodeToString(id[:])}
	r, err := probe.Send(ctx, probe.Options{
		Network: network, Address: address, Host: host, QueueID: p.QueueID, Client: client, Now: time.Now(), Timeout: f.timeout,
	})
	p.Seconds = r.Took.Seconds()
	p.Results, p.Held, p.Reply, p.Code = doctor.Visible(r.Results), r.Held, doctor.Visible(r.Text), r.Code
	if err == nil && r.Code == 0 {
		p.Code = 250
	}
	p.judge(f, &r, err)
	p.State = states[p.status]
	return p, nil
}

// judge finds status and words.
func (p *probed) judge(f *probeFlags, r *probe.Result, err error) {
	dmarc, unresolved := dmarcOf(r.Results)
	switch {
	case err != nil:
		p.status, p.Message = probeCritical, err.Error()
		return
	case r.Code >= 400 && r.Code < 500:
		p.status, p.Message = probeCritical, fmt.Sprintf("mail is put off: %d %s", r.Code, r.Text)
	case r.Code >= 500 && !f.refusedOK:
		p.status, p.Message = probeWarning, fmt.Sprintf("the message is refused: %d %s (--refused-ok if your rules want that)", r.Code, r.Text)
	case r.Code >= 500:
		p.Message = fmt.Sprintf("refused, as wanted: %d %s", r.Code, r.Text)
	case r.Text != "":
		p.status, p.Message = probeWarning, "the message is "+r.Text
	case r.Results == "":
		p.status, p.Message = probeWarning, "accepted without Authentication-Results: not judged (is --client in not_judged.networks?)"
	case unresolved:
		p.status, p.Message = probeWarning, "judged, but DNS does not answer: dmarc="+dmarc
	case dmarc == "":
		p.status, p.Message = probeWarning, "Authentication-Results say nothing of DMARC"
	default:
		p.Message = "judged: dmarc=" + dmarc
	}
	for _, bound := range []struct {
		limit  time.Duration
		status int
	}{{f.warning, probeWarning}, {f.critical, probeCritical}} {
		if r.Took > bound.limit && p.status <= bound.status {
			p.status = bound.status
		}
	}
	if r.Took > f.warning {
		p.Message = "slow, " + p.Message
	}
}

// dmarcOf is what the field says of DMARC, and whether a temporary error is in it.
func dmarcOf(value string) (dmarc string, unresolved bool) {
	results, err := authres.Parse([]byte(value))
	if err != nil {
		return "", false
	}
	for _, r := range results.Results {
		if r.Method == "dmarc" {
			dmarc = r.Result
		}
		if evidence.Result(r.Result) == evidence.TempError && (r.Method == "dmarc" || r.Method == "spf") {
			unresolved = true
		}
	}
	return dmarc, unresolved
}

// lines are the status line with its performance data, and what came back.
func (f *probeFlags) lines(worst int, all []probed) string {
	var first, data, rest []string
	for _, p := range all {
		text, label := p.Message, "time"
		if len(all) > 1 {
			text, label = p.Place+": "+text, "'"+strings.ReplaceAll(p.Place, "'", "")+"'"
		}
		first = append(first, plain(fmt.Sprintf("%s, %.3f s", text, p.Seconds)))
		data = append(data, fmt.Sprintf("%s=%.3fs;%.3f;%.3f;0;%.3f", label, p.Seconds, f.warning.Seconds(), f.critical.Seconds(), f.timeout.Seconds()))
		if p.Code != 0 {
			reply := strings.TrimSpace(fmt.Sprintf("%d %s", p.Code, p.Reply))
			if p.Held {
				reply += ", into the hold queue"
			}
			rest = append(rest, plain(fmt.Sprintf("%s: queue_id=%s reply: %s", p.Place, p.QueueID, reply)))
		}
		if p.Results != "" {
			rest = append(rest, plain("Authentication-Results: "+p.Results))
		}
	}
	lines := []string{"ALIGND " + states[worst] + " - " + strings.Join(first, "; ") + " | " + strings.Join(data, " ")}
	return strings.Join(append(lines, rest...), "\n") + "\n"
}

// plain is text in which nothing can be read as performance data or a further line.
func plain(text string) string {
	return strings.NewReplacer("|", "/", "\n", " ").Replace(doctor.Visible(text))
}

func printProbes(out io.Writer, worst int, message string, all []probed) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		State   string   `json:"state"`
		Status  int      `json:"status"`
		Message string   `json:"message,omitempty"`
		Places  []probed `json:"places"`
	}{states[worst], worst, message, all})
}
