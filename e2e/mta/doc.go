// Package mta runs a private, throw-away Postfix for tests and for the demo,
// and speaks raw SMTP to it.
//
// The instance has its own configuration, queue, log and ports below one
// temporary directory; the system's own Postfix is neither asked nor touched.
// Only the programs and the users "postfix" and "postdrop" of the Debian
// package are used. master(8) must be started by root, so Missing tells
// beforehand what a machine lacks.
//
// A Postfix has several smtpd lines, each on its own loopback port and with
// its own milter address and parameters, so that one instance serves a whole
// test binary. Everything it accepts goes over LMTP into a Sink, which keeps
// the bytes exactly as they were handed over. Clients pretend to be other
// hosts by XCLIENT.
//
// Postfix departs from its defaults here where tests need it: no DNS, no
// delay after errors, no rewriting of what local clients send, messages up to
// 200 MB, and nothing ever leaves the machine.
package mta
