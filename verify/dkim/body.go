package dkim

import (
	"crypto/sha256"
	"hash"
	"slices"
	"sync"
)

// Body canonicalizes and hashes the body of one message for all signatures,
// DKIM and ARC together: once for each canonicalization in use, whatever the
// number of signatures and of l= values. The zero value is ready to use.
//
// Line ends are CRLF; the caller passes the body as SMTP carries it, in chunks
// of any size. Signatures are registered before the first Write, and results
// asked for after the last. Not safe for concurrent use.
type Body struct {
	simple  *simpleBody
	relaxed *relaxedBody
	raw     hash.Hash // for Sum, where neither hashes all of the body
	begun   bool
	ended   bool
}

var rawHashes = sync.Pool{New: func() any { return sha256.New() }}

// Write takes the next octets of the body. It never fails.
func (b *Body) Write(p []byte) (int, error) {
	b.begin()
	if b.raw != nil {
		b.raw.Write(p)
	}
	if b.simple != nil {
		b.simple.write(p)
	}
	if b.relaxed != nil {
		b.relaxed.write(p)
	}
	return len(p), nil
}

// begin starts the hash of Sum where none will be at hand.
func (b *Body) begin() {
	if b.begun {
		return
	}
	b.begun = true
	if b.whole() == nil {
		b.raw = rawHashes.Get().(hash.Hash)
		b.raw.Reset()
	}
}

// whole is what hashes all of a canonical body, if a signature asked for that.
func (b *Body) whole() *digests {
	switch {
	case b.relaxed != nil && b.relaxed.out.whole:
		return &b.relaxed.out
	case b.simple != nil && b.simple.out.whole:
		return &b.simple.out
	}
	return nil
}

// Sum ends the body and is its SHA-256: that of the relaxed or simple body where a
// signature without l= has it hashed, as unsigned mail alone should cost a hash more;
// else of the octets as they came.
func (b *Body) Sum() (sum [sha256.Size]byte) {
	b.begin()
	b.finish()
	if d := b.whole(); d != nil {
		return d.total
	}
	b.raw.Sum(sum[:0])
	return sum
}

// Register makes b hash what p needs. It must be called before Write.
func (b *Body) Register(p *Params) {
	if p.BodyRelaxed {
		if b.relaxed == nil {
			b.relaxed = relaxedBodies.Get().(*relaxedBody)
			b.relaxed.reset()
		}
		b.relaxed.out.want(p.Length)
		return
	}
	if b.simple == nil {
		b.simple = &simpleBody{out: digests{hash: sha256.New()}}
	}
	b.simple.out.want(p.Length)
}

// Reset makes b ready for another message and gives its memory back.
func (b *Body) Reset() {
	if b.relaxed != nil {
		relaxedBodies.Put(b.relaxed)
	}
	if b.raw != nil {
		rawHashes.Put(b.raw)
	}
	*b = Body{}
}

// finish ends the canonical body, once.
func (b *Body) finish() {
	if b.ended {
		return
	}
	b.ended = true
	if b.simple != nil {
		b.simple.finish()
	}
	if b.relaxed != nil {
		b.relaxed.finish()
	}
}

// BodyResult compares a registered signature with the body.
type BodyResult struct {
	Verified bool
	Short    bool  // the canonical body is shorter than l=
	Size     int64 // octets of the canonical body
	Unsigned int64 // octets of it beyond l=
}

// Result ends the body and says what p's bh= is worth.
func (b *Body) Result(p *Params) BodyResult {
	b.finish()
	d := &digests{}
	switch {
	case p.BodyRelaxed && b.relaxed != nil:
		d = &b.relaxed.out
	case !p.BodyRelaxed && b.simple != nil:
		d = &b.simple.out
	}
	sum, ok := d.sum(p.Length)
	r := BodyResult{Size: d.size, Verified: ok && string(sum[:]) == string(p.bodyHash)}
	switch {
	case p.Length < 0:
	case p.Length > d.size:
		r.Short, r.Verified = true, false
	default:
		r.Unsigned = d.size - p.Length
	}
	return r
}

// digests hashes one canonical body. An l= is a prefix, so one running hash
// serves all of them: its value is taken when the prefix is complete.
type digests struct {
	hash    hash.Hash
	size    int64   // octets so far
	whole   bool    // somebody wants all of it
	lengths []int64 // distinct l= values, ascending, once writing begins
	sums    [][sha256.Size]byte
	total   [sha256.Size]byte
}

func (d *digests) want(length int64) {
	if length < 0 {
		d.whole = true
		return
	}
	if i, found := slices.BinarySearch(d.lengths, length); !found {
		d.lengths = slices.Insert(d.lengths, i, length)
	}
}

func (d *digests) write(p []byte) {
	for len(d.sums) < len(d.lengths) {
		next := d.lengths[len(d.sums)] - d.size
		if next > int64(len(p)) {
			break
		}
		d.hash.Write(p[:next])
		d.size += next
		p = p[next:]
		d.take()
	}
	d.size += int64(len(p))
	if d.whole || len(d.sums) < len(d.lengths) {
		d.hash.Write(p)
	}
}

func (d *digests) take() {
	var s [sha256.Size]byte
	d.hash.Sum(s[:0])
	d.sums = append(d.sums, s)
}

func (d *digests) finish() {
	d.write(nil) // l=0 of an empty body
	d.hash.Sum(d.total[:0])
}

func (d *digests) sum(length int64) ([sha256.Size]byte, bool) {
	if length < 0 {
		return d.total, d.whole
	}
	i, found := slices.BinarySearch(d.lengths, length)
	if !found || i >= len(d.sums) {
		return [sha256.Size]byte{}, false
	}
	return d.sums[i], true
}

// crlfs is what a run of empty lines is written from.
var crlfs = func() (b [512]byte) {
	for i := range b {
		b[i] = "\r\n"[i&1]
	}
	return b
}()

func writeLines(w func([]byte), n int64) {
	for n > 0 {
		m := min(n, int64(len(crlfs)/2))
		w(crlfs[:2*m])
		n -= m
	}
}

// simpleBody is RFC 6376 section 3.4.3: empty lines at the end are ignored,
// and there is always a final CRLF.
type simpleBody struct {
	out   digests
	lines int64 // line ends seen and not yet written
	cr    bool  // and then a CR
}

func (s *simpleBody) write(p []byte) {
	if s.cr && len(p) > 0 {
		s.cr = false
		if p[0] == '\n' {
			s.lines++
			p = p[1:]
		} else {
			s.flush()
			s.out.write(crlfs[:1])
		}
	}
	n := len(p)
	if n > 0 && p[n-1] == '\r' {
		s.cr = true
		n--
	}
	var lines int64
	for n >= 2 && p[n-1] == '\n' && p[n-2] == '\r' {
		n, lines = n-2, lines+1
	}
	if n > 0 {
		s.flush()
		s.out.write(p[:n])
	}
	s.lines += lines
}

func (s *simpleBody) flush() {
	writeLines(s.out.write, s.lines)
	s.lines = 0
}

func (s *simpleBody) finish() {
	if s.cr {
		s.flush()
		s.out.write(crlfs[:1])
	}
	s.out.write(crlfs[:2])
	s.out.finish()
}

// relaxedBody is RFC 6376 section 3.4.4: white space at the end of a line is
// dropped, other runs of it become one space, empty lines at the end are
// ignored, and what is left ends in CRLF, unless nothing is left.
//
// Canonical octets collect in block, so that the hash works on long runs.
type relaxedBody struct {
	out   digests
	lines int64 // line ends seen and not yet written
	space bool  // then white space
	cr    bool  // then a CR
	n     int   // octets in block
	block [4 << 10]byte
}

var relaxedBodies = sync.Pool{New: func() any {
	return &relaxedBody{out: digests{hash: sha256.New()}}
}}

func (r *relaxedBody) reset() {
	h := r.out.hash
	h.Reset()
	r.out = digests{hash: h}
	r.lines, r.space, r.cr, r.n = 0, false, false, 0
}

func (r *relaxedBody) write(p []byte) {
	if r.cr && len(p) > 0 {
		r.cr = false
		if p[0] == '\n' {
			r.lineEnd()
			p = p[1:]
		} else {
			r.text(crlfs[:1])
		}
	}
	for len(p) > 0 {
		n := 1
		switch {
		case isWSP(p[0]):
			r.space = true
			for n < len(p) && isWSP(p[n]) {
				n++
			}
		case p[0] == '\r' && len(p) == 1:
			r.cr = true
		case p[0] == '\r' && p[1] == '\n':
			r.lineEnd()
			n = 2
		case p[0] == '\r':
			r.text(p[:1])
		default:
			n = plain(p)
			r.text(p[:n])
		}
		p = p[n:]
	}
}

func (r *relaxedBody) lineEnd() {
	r.space = false
	r.lines++
}

// text writes what was held back, then p.
func (r *relaxedBody) text(p []byte) {
	if r.lines > 1 {
		writeLines(r.put, r.lines-1)
		r.lines = 1
	}
	if len(r.block)-r.n < 3 {
		r.out.write(r.block[:r.n])
		r.n = 0
	}
	if r.lines > 0 {
		r.block[r.n], r.block[r.n+1] = '\r', '\n'
		r.n += 2
		r.lines = 0
	}
	if r.space {
		r.block[r.n] = ' '
		r.n++
		r.space = false
	}
	r.put(p)
}

func (r *relaxedBody) put(p []byte) {
	if len(p) > len(r.block)-r.n {
		r.out.write(r.block[:r.n])
		r.n = 0
		if len(p) >= len(r.block) {
			r.out.write(p)
			return
		}
	}
	r.n += copy(r.block[r.n:], p)
}

func (r *relaxedBody) finish() {
	if r.cr {
		r.text(crlfs[:1])
	}
	if r.n > 0 || r.out.size > 0 {
		r.put(crlfs[:2])
	}
	r.out.write(r.block[:r.n])
	r.n = 0
	r.out.finish()
}
