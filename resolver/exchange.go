package resolver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

const (
	// ednsSize is the UDP payload size offered, in octets; it avoids fragments
	// (RFC 9715 section 3).
	ednsSize = 1232
	// udpBuffer is the longest datagram read, in octets. A longer one is cut
	// and therefore taken for a truncated answer.
	udpBuffer = 4096
	// sideline is how long a server that did not answer is asked last.
	sideline = 30 * time.Second
)

var udpBuffers = sync.Pool{New: func() any { return new([udpBuffer]byte) }}

// server is one recursive resolver.
type server struct {
	addr netip.AddrPort
	late atomic.Int64 // asked last until then; Unix nanoseconds
	told atomic.Int64 // when the log last said that it is silent; 0 once it answers
}

// query is one question in wire form. The ID, its first two octets, is set
// anew for each try.
type query struct {
	wire     []byte
	question []byte // part of wire
}

func newQuery(name string, qtype uint16, edns bool) (*query, error) {
	m := new(dns.Msg)
	m.SetQuestion(name, qtype)
	if edns {
		m.SetEdns0(ednsSize, false)
	}
	wire, err := m.Pack()
	if err != nil {
		return nil, err
	}
	end := len(wire)
	if edns {
		end -= 11 // the OPT record: root, type, size, flags and an empty rdata
	}
	return &query{wire: wire, question: wire[headerSize:end]}, nil
}

const headerSize = 12

// answeredBy reports whether msg is a response to q: ID, QR, opcode and the
// question (names without regard to case). Where the server reports an error,
// the question may be missing.
func (q *query) answeredBy(msg []byte) bool {
	const response, opcode = 0x80, 0x78
	if len(msg) < headerSize || !bytes.Equal(msg[:2], q.wire[:2]) || msg[2]&response == 0 || msg[2]&opcode != 0 {
		return false
	}
	switch binary.BigEndian.Uint16(msg[4:]) {
	case 0:
		rcode := int(msg[3] & 0xF)
		return rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError && len(msg) == headerSize
	case 1:
		return len(msg) >= headerSize+len(q.question) &&
			equalFold(msg[headerSize:headerSize+len(q.question)], q.question)
	}
	return false
}

// equalFold compares two questions. Length octets are below 64 and therefore
// not letters; type and class come out right, because all types asked lie
// below 'A'.
func equalFold(a, b []byte) bool {
	for i := range a {
		if a[i] != b[i] && foldByte(a[i]) != foldByte(b[i]) {
			return false
		}
	}
	return true
}

func foldByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// errRCode is a response whose RCODE answers nothing.
type errRCode int

func (e errRCode) Error() string {
	if s, ok := dns.RcodeToString[int(e)]; ok {
		return s
	}
	return fmt.Sprintf("RCODE %d", int(e))
}

// order returns the servers as configured, those that were silent lately last.
func (r *Resolver) order() []*server {
	now := r.opts.Clock().UnixNano()
	all := *r.servers.Load()
	list := make([]*server, 0, len(all))
	for _, s := range all {
		if s.late.Load() <= now {
			list = append(list, s)
		}
	}
	for _, s := range all {
		if s.late.Load() > now && len(list) < len(all) {
			list = append(list, s)
		}
	}
	return list
}

func (r *Resolver) setLate(s *server, err error) {
	now := r.opts.Clock()
	s.late.Store(now.Add(sideline).UnixNano())
	if told := s.told.Load(); now.UnixNano()-told >= int64(sideline) && s.told.CompareAndSwap(told, now.UnixNano()) {
		r.opts.Logger.Warn("dns server does not answer", "server", s.addr.String(), "err", err)
	}
}

func (r *Resolver) answered(s *server) {
	if s.told.Load() != 0 && s.told.Swap(0) != 0 {
		r.opts.Logger.Info("dns server answers again", "server", s.addr.String())
	}
}

// isNetwork reports whether nothing was heard from the server.
func isNetwork(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) || errors.Is(err, errTimeout) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

var errTimeout = errors.New("timeout")

// tryServer asks one server: over UDP with EDNS, without EDNS when it does
// not understand (RFC 6891 section 7), over TCP when the answer was truncated.
func (r *Resolver) tryServer(ctx context.Context, s *server, q *query, l *late) (*dns.Msg, error) {
	m, err := r.try(ctx, s, q, l)
	if rc, ok := err.(errRCode); ok && refusesEDNS(int(rc)) {
		m, err = r.tryPlain(ctx, s, q, l)
	}
	return m, err
}

func refusesEDNS(rcode int) bool {
	return rcode == dns.RcodeFormatError || rcode == dns.RcodeNotImplemented || rcode == dns.RcodeBadVers
}

// tryPlain asks without EDNS.
func (r *Resolver) tryPlain(ctx context.Context, s *server, q *query, l *late) (*dns.Msg, error) {
	plain := &query{wire: bytes.Clone(q.wire[:headerSize+len(q.question)])}
	plain.wire[11] = 0 // ARCOUNT: no OPT record
	plain.question = plain.wire[headerSize:]
	return r.try(ctx, s, plain, l)
}

func (r *Resolver) try(ctx context.Context, s *server, q *query, l *late) (*dns.Msg, error) {
	deadline := time.Now().Add(r.opts.Timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	buf := udpBuffers.Get().(*[udpBuffer]byte)
	defer udpBuffers.Put(buf)
	msg, err := r.udp(ctx, s, q, buf[:], deadline, l)
	if err != nil {
		return nil, silence(err)
	}
	if truncated(msg) || len(msg) == udpBuffer {
		return r.overTCP(ctx, s, q, deadline)
	}
	return parse(msg)
}

// overTCP asks again where the answer over UDP was truncated.
func (r *Resolver) overTCP(ctx context.Context, s *server, q *query, deadline time.Time) (*dns.Msg, error) {
	msg, err := r.tcp(ctx, s, q, deadline)
	switch {
	case err != nil:
		return nil, silence(err)
	case truncated(msg):
		return nil, malformed("truncated over TCP")
	}
	return parse(msg)
}

// silence gives a deadline that has passed its name.
func silence(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errTimeout
	}
	return err
}

// truncated reads the TC bit. Such an answer is never used, not even the
// records that came whole (RFC 2181 section 9).
func truncated(msg []byte) bool { return msg[2]&0x02 != 0 }

// udp sends q from a socket of its own and waits for the response to it, whatever else
// comes in until deadline. Who cannot see the traffic has to guess the port, which
// the kernel draws anew for each socket, next to the ID (RFC 5452 section 9.2). It is
// connected, so that datagrams from elsewhere do not reach it. To one that was given
// up on the answer may yet come: l listens for that.
func (r *Resolver) udp(ctx context.Context, s *server, q *query, buf []byte, deadline time.Time, l *late) ([]byte, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.addr))
	if err != nil {
		return nil, err
	}
	stop := interruptible(ctx, conn, deadline)
	r.sent.Add(1)
	msg, strays, err := q.converse(conn, buf)
	r.strays.Add(strays)
	undisturbed := stop()
	if silent := errors.Is(err, os.ErrDeadlineExceeded); !silent || !undisturbed || !l.keep(conn, s, q) {
		conn.Close()
	}
	return msg, err
}

// converse sends q under a new ID and reads the response to it into buf. strays
// counts the datagrams that were none.
func (q *query) converse(conn io.ReadWriter, buf []byte) (msg []byte, strays uint64, err error) {
	binary.BigEndian.PutUint16(q.wire, dns.Id())
	if _, err := conn.Write(q.wire); err != nil {
		return nil, 0, err
	}
	return q.await(conn, buf)
}

// await reads the response to q into buf.
func (q *query) await(conn io.Reader, buf []byte) (msg []byte, strays uint64, err error) {
	for ; ; strays++ {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, strays, err
		}
		if q.answeredBy(buf[:n]) {
			return buf[:n], strays, nil
		}
	}
}

// tcp asks again over TCP (RFC 7766).
func (r *Resolver) tcp(ctx context.Context, s *server, q *query, deadline time.Time) ([]byte, error) {
	dialer := net.Dialer{Deadline: deadline}
	conn, err := dialer.DialContext(ctx, "tcp", s.addr.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer interruptible(ctx, conn, deadline)()
	binary.BigEndian.PutUint16(q.wire, dns.Id())
	r.sent.Add(1)
	frame := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(q.wire)), uint16(len(q.wire)))
	if _, err := conn.Write(append(frame, q.wire...)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	msg := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, msg); err != nil {
		return nil, err
	}
	if !q.answeredBy(msg) {
		return nil, malformed("another question over TCP")
	}
	return msg, nil
}

// interruptible sets the deadline of conn and ends its waiting early when ctx
// is done. The result undoes the latter.
func interruptible(ctx context.Context, conn net.Conn, deadline time.Time) (stop func() bool) {
	_ = conn.SetDeadline(deadline) // fails on a closed conn only, as will the next write
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
}

// parse unpacks a whole response. miekg/dns takes section counts that promise
// more than there is for honest, which would shorten a set of records
// silently, so the counts are compared.
func parse(msg []byte) (*dns.Msg, error) {
	m := new(dns.Msg)
	if err := m.Unpack(msg); err != nil {
		if rcode := int(msg[3] & 0xF); rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError {
			return nil, errRCode(rcode)
		}
		return nil, malformed(err.Error())
	}
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return nil, errRCode(m.Rcode)
	}
	for i, n := range []int{len(m.Answer), len(m.Ns), len(m.Extra)} {
		if n != int(binary.BigEndian.Uint16(msg[6+2*i:])) {
			return nil, malformed("fewer records than announced")
		}
	}
	return m, nil
}
