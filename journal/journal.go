package journal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"alignd/evidence"
	"alignd/journal/spool"
	"alignd/policy"
	"alignd/record"
)

// Entry is a record as it is kept.
type Entry struct {
	Number spool.Number
	Answer Answer
	Record *record.Record
}

// Raw is an entry on its way into a store, with its record as encoded.
type Raw struct {
	Entry
	Encoded []byte
}

// Store keeps entries, or what follows from them. Its methods are safe for concurrent use, but for Take.
type Store interface {
	// Take keeps a batch, in the order of its numbers, and returns when it is on disk.
	// What the store has already is passed over. The Encoded and the Record of a batch are
	// not used after Take, but for texts.
	Take(ctx context.Context, from spool.ID, batch []Raw) error
	// Tidy does what is due beside: it seals and removes. Take and Tidy return ErrAnew
	// where the store is to be given all of the spool again.
	Tidy(ctx context.Context, now time.Time) error
	Close() error
}

// Reporter is a Store that tells how it is doing. Health is safe for concurrent use.
type Reporter interface{ Health() Health }

// Health is how a store is doing, as of a minute ago at most.
type Health struct {
	Octets int64 // on disk
	// Damaged are files that were put aside, or cannot be indexed, for what is in them.
	Damaged int
	// RetentionStopped: the clock jumped, so nothing is removed.
	RetentionStopped bool
	Sealing          bool // at this moment
}

// Gatherer is a Store that gathers what it takes and has it on disk later.
type Gatherer interface {
	Store
	// Kept is the last number up to which all is on disk, of what the loader handed it
	// or passed over: passed, if all is.
	Kept(passed spool.Number) spool.Number
	// Flush has all on disk that it gathered.
	Flush(ctx context.Context) error
}

// ErrAnew: a store lost what it gathered, or found another state on disk than it left.
// The loader begins anew with what the store says that it has.
var ErrAnew = errors.New("the loader begins anew")

// ErrMended: what was in the way of a store is not any more, which it told of. The loader
// begins anew at once.
var ErrMended = errors.New("what was in the way is put aside")

// Query says which entries are wanted. Zero fields say nothing.
type Query struct {
	Since, Until time.Time // Until is excluded
	Domain       string    // an Author Domain, in its A-label form
	Client       netip.Prefix
	Disposition  policy.Disposition
	// Would is the delivery that monitor mode or a rollout held back.
	Would policy.Delivery
	// Delivery is how the MTA was told.
	Delivery policy.Delivery
	// Answer is one of Answers: whether the MTA heard it.
	Answer string
	// Results of checks: SPF is the one that is written, DKIM of several signatures a pass,
	// else the first; DMARC that of the Author Domain that decided.
	SPF, DKIM, ARC, DMARC evidence.Result
	MailFrom              string // an address, or a domain in its A-label form
	Rule                  string
	QueueID               string
	Token                 string
	MessageID             string
	// ID is a queue id, a token or a Message-ID, whichever it turns out to be.
	ID    string
	Limit int // 0 is no limit
}

// Searcher finds entries, newest first, and hands each to found, whose error ends the
// search and comes back; ErrEnough does so without one.
type Searcher interface {
	Search(ctx context.Context, q Query, found func(*Entry) error) error
}

// Reader is what questions are put to, beside the process that writes the store or
// without one. Its methods are safe for concurrent use.
type Reader interface {
	Searcher
	// Scan hands all blocks to each that may hold entries of that time, oldest day first,
	// and in an order that is the same each time while the store is. Zero times are no
	// bounds. A block may also hold entries of another time. Each block's memory is its own.
	// The error of each ends the scan as that of found ends a search.
	Scan(ctx context.Context, since, until time.Time, each func(Block) error) error
	Close() error
}

// ErrEnough ends a search.
var ErrEnough = errors.New("enough entries")

// Matches reports whether e is what q wants, Limit aside. It decides; what a store's
// columns say before is only to find e soon.
func (q *Query) Matches(e *Entry) bool {
	ev, v := &e.Record.Evidence, &e.Record.Verdict
	switch {
	case !q.Since.IsZero() && ev.Time.Before(q.Since), !q.Until.IsZero() && !ev.Time.Before(q.Until):
		return false
	case q.Domain != "" && !hasAuthor(ev, q.Domain):
		return false
	case q.Client.IsValid() && !q.Client.Contains(ev.Client.IP()):
		return false
	case q.Disposition != "" && v.Disposition != q.Disposition, q.Rule != "" && v.Rule != q.Rule:
		return false
	case q.Would != "" && v.Monitor.Delivery != q.Would, q.MailFrom != "" && !sentBy(ev, q.MailFrom):
		return false
	case q.ID != "" && q.ID != ev.QueueID && q.ID != ev.Token && !sameMessageID(ev.MessageID, q.ID):
		return false
	case q.QueueID != "" && ev.QueueID != q.QueueID, q.Token != "" && ev.Token != q.Token:
		return false
	}
	if digits := q.Digits(); len(digits) > 0 {
		columns := ColumnsOf(e)
		for _, d := range digits {
			if columns.Results()/d.Place%10 != d.Value {
				return false
			}
		}
	}
	return q.MessageID == "" || sameMessageID(ev.MessageID, q.MessageID)
}

// Digit is what a query wants of the number Columns.Results: Value at Place, a power of 10.
type Digit struct{ Place, Value int64 }

// Digits are what q wants of the results, of Delivery and of Answer. A word that is none of
// theirs matches nothing.
func (q *Query) Digits() (list []Digit) {
	add := func(place int64, wanted bool, index, first int) {
		value := int64(index + first)
		if index < 0 {
			value = 10 // no digit
		}
		if wanted {
			list = append(list, Digit{place, value})
		}
	}
	for _, x := range []struct {
		place int64
		word  evidence.Result
	}{{1_000_000, q.SPF}, {100_000, q.DKIM}, {10_000, q.ARC}, {1_000, q.DMARC}} {
		add(x.place, x.word != "", slices.Index(Results, x.word), 1)
	}
	add(10, q.Delivery != "", slices.Index(Deliveries, q.Delivery), 1)
	add(1, q.Answer != "", slices.Index(Answers, q.Answer), 0)
	return list
}

func hasAuthor(ev *evidence.Message, domain string) bool {
	for i := range ev.DMARC {
		if strings.EqualFold(ev.DMARC[i].AuthorDomain, domain) {
			return true
		}
	}
	return len(ev.DMARC) == 0 && len(ev.From.Domains) > 0 && strings.EqualFold(ev.From.Domains[0], domain)
}

// sentBy reports whether MAIL FROM is an address, or of a domain. Case does not matter in
// the local part either: who asks rarely knows how the sender writes it.
func sentBy(ev *evidence.Message, sender string) bool {
	local, domain, isAddress := cutAddress(sender)
	if isAddress {
		if have, _, _ := cutAddress(ev.MailFrom); !strings.EqualFold(have, local) {
			return false
		}
	}
	return strings.EqualFold(ev.MailFromDomain, domain)
}

// cutAddress cuts local@domain at the last @; a text without one is a domain.
func cutAddress(s string) (local, domain string, isAddress bool) {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return "", s, false
}

func sameMessageID(a, b string) bool { return BareID(a) == BareID(b) }

// BareID is a Message-ID without its angle brackets, which people leave out.
func BareID(s string) string { return strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">") }

// DomainOf is the domain of an address, or a domain itself, as columns have it: in lower
// case.
func DomainOf(mailFrom string) string {
	return strings.ToLower(mailFrom[strings.LastIndexByte(mailFrom, '@')+1:])
}

// Key stands for a text in a column: the first eight octets of a SHA-256 over the
// column's name and the text. Zero is no text.
type Key int64

// KeyOf is the key of a text in a column.
func KeyOf(column, text string) Key {
	if text == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(column + "\x00" + text))
	return Key(binary.BigEndian.Uint64(sum[:8]))
}

// Columns are what entries are found by. Numbers of results are those of Results and
// its like.
type Columns struct {
	Time                    int64 // milliseconds since 1970, UTC
	Queue, Token, MessageID Key
	Author, MailFrom        Key    // domains
	Sender                  uint16 // SenderOf
	Client                  int64  // NumberOf
	Rule                    Key
	SPF, DKIM, ARC, DMARC   uint8
	Disposition, Delivery   uint8
	Would, AnswerWas        uint8
}

// Names of columns, as KeyOf takes them.
const (
	ColumnQueue     = "queue_id"
	ColumnToken     = "token"
	ColumnMessageID = "message_id"
	ColumnDomain    = "domain" // Author Domains and domains of MAIL FROM share their keys
	ColumnSender    = "sender"
	ColumnRule      = "rule"
)

// ColumnsOf are those of an entry.
func ColumnsOf(e *Entry) Columns {
	ev, v := &e.Record.Evidence, &e.Record.Verdict
	c := Columns{
		Time:        ev.Time.UnixMilli(),
		Queue:       KeyOf(ColumnQueue, ev.QueueID),
		Token:       KeyOf(ColumnToken, ev.Token),
		MessageID:   KeyOf(ColumnMessageID, BareID(ev.MessageID)),
		Author:      KeyOf(ColumnDomain, AuthorOf(e.Record)),
		MailFrom:    KeyOf(ColumnDomain, strings.ToLower(ev.MailFromDomain)),
		Sender:      SenderOf(ev.MailFrom),
		Client:      NumberOf(ev.Client.IP()),
		Rule:        KeyOf(ColumnRule, v.Rule),
		ARC:         number(Results, ev.ARC.Result),
		DMARC:       number(Results, policy.ResultOf(&e.Record.Evidence, &e.Record.Verdict)),
		Disposition: number(Dispositions, v.Disposition),
		Delivery:    number(Deliveries, v.Delivery),
		Would:       number(Deliveries, v.Monitor.Delivery),
		AnswerWas:   uint8(e.Answer),
	}
	if check := ev.ReportedSPF(); check != nil {
		c.SPF = number(Results, check.Result)
	}
	for i := range ev.DKIM {
		if n := number(Results, ev.DKIM[i].Result); c.DKIM != passes && (c.DKIM == 0 || n == passes) {
			c.DKIM = n
		}
	}
	return c
}

// Results are the small columns in one number, a decimal digit each, so that people can read
// it: would, SPF, DKIM, ARC, DMARC, disposition, delivery, answer.
func (c *Columns) Results() int64 {
	var n int64
	for _, digit := range [...]uint8{c.Would, c.SPF, c.DKIM, c.ARC, c.DMARC, c.Disposition, c.Delivery, c.AnswerWas} {
		n = n*10 + int64(digit)
	}
	return n
}

// NamesOf are the texts of those columns whose texts recur.
func NamesOf(r *record.Record) map[Key]string {
	names := make(map[Key]string, 4)
	add := func(column, text string) {
		if text != "" {
			names[KeyOf(column, text)] = text
		}
	}
	add(ColumnDomain, AuthorOf(r))
	add(ColumnDomain, strings.ToLower(r.Evidence.MailFromDomain))
	add(ColumnRule, r.Verdict.Rule)
	return names
}

// AuthorOf is the Author Domain that decided, empty where there is none.
func AuthorOf(r *record.Record) string { return r.AuthorDomain() }

// NetworkOf is the network that a client is counted with: /24 or /48.
func NetworkOf(ip netip.Addr) netip.Prefix { return evidence.NetworkOf(ip) }

// NoClient is the number of no address.
const NoClient = -1

// NumberOf makes a number of an address, so that those of a network follow one another:
// of IPv4 the address itself, of IPv6 its first 64 bits, the highest being the sign.
func NumberOf(ip netip.Addr) int64 {
	switch ip = ip.Unmap(); {
	case !ip.IsValid():
		return NoClient
	case ip.Is4():
		b := ip.As4()
		return int64(binary.BigEndian.Uint32(b[:]))
	}
	b := ip.As16()
	return int64(binary.BigEndian.Uint64(b[:]))
}

// NumbersOf are the first and the last number of a network's addresses. Addresses of
// others may have one between them: of a network of IPv6 that is smaller than a /64.
func NumbersOf(p netip.Prefix) (first, last int64) {
	first = NumberOf(p.Masked().Addr())
	bits := 64
	if p.Addr().Is4() {
		bits = 32
	}
	switch free := bits - p.Bits(); {
	case free <= 0:
		return first, first
	case free == 64:
		return math.MinInt64, math.MaxInt64
	default:
		return first, first | (1<<free - 1)
	}
}

// SenderOf tells addresses of one domain apart, mostly: a number from 1 that is made of
// the local part, 0 for what is no address.
func SenderOf(address string) uint16 {
	local, _, isAddress := cutAddress(address)
	if !isAddress {
		return 0
	}
	return uint16(uint64(KeyOf(ColumnSender, strings.ToLower(local)))%math.MaxUint16) + 1
}

// Results, Dispositions and Deliveries are the words that columns number, from 1; zero
// is none of them. New words are added at the end.
var (
	Results = []evidence.Result{evidence.Pass, evidence.Fail, evidence.SoftFail, evidence.Neutral,
		evidence.None, evidence.TempError, evidence.PermError, evidence.Policy}
	Dispositions = []policy.Disposition{policy.DispositionAccept, policy.DispositionQuarantine,
		policy.DispositionReject, policy.DispositionTempfail}
	Deliveries = []policy.Delivery{policy.Deliver, policy.DeliverTag, policy.DeliverHold, policy.Refuse, policy.DeliverDefer}
)

const passes = 1

func number[T comparable](words []T, word T) uint8 {
	for i, w := range words {
		if w == word {
			return uint8(i + 1)
		}
	}
	return 0
}
