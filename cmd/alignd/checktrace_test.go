package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// RFC 5321 section 4.4: what a host writes stands above what came with the message,
// so only fields that nothing foreign stands above are believed.
func TestCheckTakesTheTraceOfItsOwnMTA(t *testing.T) {
	const (
		ours    = "Received: from h.example (h.example [192.0.2.7])\n\tby mx.here.test (Postfix) with ESMTP id 1\n\tfor <bob@here.test>; Mon, 2 Nov 2026 10:00:00 +0000 (UTC)\n"
		forged  = "Received: from bank.test (bank.test [203.0.113.9]) by mx.here.test (Postfix) with ESMTP id 2; Mon, 2 Nov 2026 10:00:00 +0000\n"
		foreign = "Received: from x.example (x.example [203.0.113.1]) by mx.other.example (Postfix) with ESMTP id 3; Mon, 2 Nov 2026 10:00:00 +0000\n"
		filter  = "Received: from localhost (localhost [127.0.0.1]) by mx.here.test (Postfix) with ESMTP id 4; Mon, 2 Nov 2026 10:00:00 +0000\n"
		store   = "Received: from mx.here.test ([192.0.2.25]) by store.here.test with LMTP id 5; Mon, 2 Nov 2026 10:00:00 +0000\n"
		inner   = "Received: from mx.here.test (mx.here.test [192.0.2.25]) by store.here.test (Postfix) with ESMTP id 6; Mon, 2 Nov 2026 10:00:00 +0000\n"
		odd     = "Received: from h.example by mx.here.test (Postfix) with ESMTP id 7; Mon, 2 Nov 2026 10:00:00 +0000\n"
		amavis  = "Received: from mx.here.test ([127.0.0.1]) by localhost (mx.here.test [127.0.0.1]) (amavisd-new, port 10024) with ESMTP id 8; Mon, 2 Nov 2026 10:00:00 +0000\n"
		liar    = "Received: from mx.here.test ([203.0.113.9]) by localhost (mx.here.test [127.0.0.1]) with ESMTP id 9; Mon, 2 Nov 2026 10:00:00 +0000\n"
		path    = "Return-Path: <ann@a.example>\n"
	)
	for _, row := range []struct {
		name, header string
		args         []string
		want         string // ip, helo, MAIL FROM
		note         string
	}{
		{name: "Received and Return-Path", header: path + ours, want: "192.0.2.7 h.example ann@a.example", note: "were taken from Received field number 1"},
		{name: "a forged field below ours", header: path + ours + forged, want: "192.0.2.7 h.example ann@a.example"},
		{name: "a forged field below a foreign one", header: path + foreign + forged, want: "  ", note: `was written by \"mx.other.example\" and not by mx.here.test`},
		{name: "behind a content filter", header: path + filter + ours, want: "192.0.2.7 h.example ann@a.example", note: "passed over, as the message was inside the site"},
		{name: "behind a content filter that calls itself localhost", header: path + filter + amavis + ours, want: "192.0.2.7 h.example ann@a.example"},
		{name: "a localhost that took it from elsewhere", header: path + liar + ours, want: "  ", note: "nothing was taken"},
		{name: "below the field of a delivery agent", header: path + store + ours, want: "192.0.2.7 h.example ann@a.example", note: "passed over"},
		{name: "below the field of another host of the site", header: path + inner + ours, want: "192.0.2.7 h.example ann@a.example", note: "another host of the site wrote it"},
		{name: "a Return-Path that came with the message", header: ours + path, want: "192.0.2.7 h.example ", note: "Return-Path was not taken"},
		{name: "the null reverse-path", header: "Return-Path: <>\n" + ours, want: "192.0.2.7 h.example ", note: "MAIL FROM <> was taken from Return-Path"},
		{name: "no Return-Path", header: ours, want: "192.0.2.7 h.example ", note: "there is no Return-Path field"},
		{name: "no Received", header: path, want: "  ", note: "no Received field tells"},
		{name: "a field without address", header: path + odd, want: "  ", note: "nothing was taken"},
		{name: "flags win", header: path + ours, args: []string{"--ip", "192.0.2.99", "--mail-from", "x@y.example"}, want: "192.0.2.99 h.example x@y.example"},
		{name: "without the flag nothing is taken", header: path + ours, args: []string{"--from-trace=false"}, want: "  ", note: "no --ip was given"},
	} {
		args := append([]string{"check", "--json", "--from-trace", "--zone", write(t, "zone", plainZone), "--authserv-id", "mx.here.test", "-"}, row.args...)
		out := alignd(t, row.header+plainMessage, args...)
		var got struct {
			Client   struct{ IP, HELO string }
			MailFrom string `json:"mail_from"`
		}
		if err := json.Unmarshal([]byte(out.stdout), &got); err != nil {
			t.Fatalf("%s: %+v", row.name, out)
		}
		if text := fmt.Sprintf("%s %s %s", got.Client.IP, got.Client.HELO, got.MailFrom); text != row.want || !strings.Contains(out.stdout, row.note) {
			t.Errorf("%s: got %q, want %q, and %q in %s", row.name, text, row.want, row.note, out.stdout)
		}
	}
}

// The daemon never sees the Received field of its own MTA, nor what stands above it.
func TestCheckFromTraceSeesWhatTheDaemonSaw(t *testing.T) {
	const (
		top     = "Return-Path: <ann@a.example>\nX-Spam: no\n"
		ours    = "Received: from gw.example (gw.example [203.0.113.25]) by mx.here.test (Postfix) with ESMTPS id 1; Mon, 2 Nov 2026 10:00:00 +0000\n"
		login   = "Received: from laptop (h.example [192.0.2.9]) by mx.here.test (Postfix) with ESMTPSA id 1; Mon, 2 Nov 2026 10:00:00 +0000\n"
		printer = "Received: from printer (p.here.test [198.18.0.9]) by mx.here.test (Postfix) with ESMTP id 1; Mon, 2 Nov 2026 10:00:00 +0000\n"
		local   = "Received: from mx.here.test (localhost [127.0.0.1]) by mx.here.test (Postfix) with ESMTP id 1; Mon, 2 Nov 2026 10:00:00 +0000\n"
		behind  = "Received: from h.example (h.example [192.0.2.7]) by gw.example (Postfix) with ESMTP id 2; Mon, 2 Nov 2026 10:00:00 +0000\n"
	)
	for _, row := range []struct{ name, header, relay, ip, rule string }{
		{name: "a relay that writes the topmost field", header: top + ours + behind, relay: "by: [gw.example]", ip: "192.0.2.7"},
		{name: "one hop", header: top + ours + behind, relay: "max_hops: 1", ip: "192.0.2.7"},
		{name: "a relay that writes none", header: top + ours, relay: "by: [gw.example]"},
		{name: "a host of our own", header: top + printer, relay: "max_hops: 1", ip: "198.18.0.9", rule: "198.18.0.0/16"},
		{name: "this host", header: top + local, relay: "max_hops: 1", ip: "127.0.0.1", rule: "loopback"},
		{name: "a login", header: top + login + behind, relay: "max_hops: 1", ip: "192.0.2.9", rule: "authenticated"},
	} {
		config := write(t, "config.yaml", "trusted_relays: [{id: gw, peers: [203.0.113.25], "+row.relay+"}]\nnot_judged: {networks: 198.18.0.0/16}\n")
		out := alignd(t, row.header+plainMessage, "check", "--json", "--from-trace", "--config", config, "--zone", write(t, "zone", plainZone), "--authserv-id", "mx.here.test", "-")
		var got struct {
			Client      struct{ IP string }
			Disposition struct{ Rule string }
			Traces      struct{ Received int }
		}
		if err := json.Unmarshal([]byte(out.stdout), &got); err != nil {
			t.Fatalf("%s: %+v", row.name, out)
		}
		if want := strings.Count(row.header, "Received:") - 1; got.Client.IP != row.ip || got.Disposition.Rule != row.rule || got.Traces.Received != want {
			t.Errorf("%s: got %+v, want %q, rule %q, %d Received fields", row.name, got, row.ip, row.rule, want)
		}
	}
}
