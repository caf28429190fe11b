package postgres

import (
	"math/bits"

	"alignd/journal"
)

// bloom is a Bloom filter of the keys of a day: whether it may have one is said without a
// look at its tables. It is a row of lines, each a small filter of its own, so that who asks
// reads one line a key.
// https://en.wikipedia.org/wiki/Bloom_filter
type bloom struct{ bits []byte }

// Numbers of a filter. They are in what is on disk: others need another version.
const (
	lineOctets = 64
	lineBits   = lineOctets * 8
	probes     = 6
	// partLines are those of a part, which is a row of records_filters: a mebibyte.
	partLines = 1 << 14
)

// Numbers of ours. bitsOfRecord is for three ids, and for domains and client, most of which
// recur: one day of a thousand is then read in vain. A day of so many records that a filter
// of mostOctets has less room is read in vain more often; at leastBits it is one of fifty.
const (
	bitsOfRecord = 64
	leastBits    = 24
	mostOctets   = 64 << 20
	// mostRecords is how many records a day may have to get a filter.
	mostRecords = mostOctets * 8 / leastBits
)

// newBloom has room for the keys of so many records.
func newBloom(records int64) *bloom {
	lines := min(records*bitsOfRecord/lineBits+1, mostOctets/lineOctets)
	return &bloom{bits: make([]byte, lines*lineOctets)}
}

func (b *bloom) lines() int64 { return int64(len(b.bits) / lineOctets) }

// hashed is a column's key as filters know it: what chooses the line, and what chooses bits.
type hashed struct {
	line int64 // not negative; modulo the number of lines
	bits uint64
}

// columnOf numbers the columns that a filter has keys of. The numbers are on disk.
var columnOf = map[string]uint64{"queue": 1, "token": 2, "message": 3, "author": 4, "mailfrom": 5, "client": 6}

// hash mixes the column in, as domains have one key in two columns, and a client's number is
// no hash. It is the finalizer of SplitMix64, twice.
func hash(column string, key int64) hashed {
	first := mix(uint64(key) + columnOf[column]*0x9e3779b97f4a7c15)
	return hashed{line: int64(first >> 1), bits: mix(first + 0x9e3779b97f4a7c15)}
}

// mix is the finalizer of SplitMix64. https://prng.di.unimi.it/splitmix64.c
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// positions are the bits of a line that stand for a key.
func (h hashed) positions() (list [probes]uint) {
	width := bits.Len(lineBits - 1)
	for i := range list {
		list[i] = uint(h.bits>>(i*width)) % lineBits
	}
	return list
}

// add is for a key of a column.
func (b *bloom) add(column string, key int64) {
	h := hash(column, key)
	line := b.bits[h.line%b.lines()*lineOctets:][:lineOctets]
	for _, p := range h.positions() {
		line[p/8] |= 1 << (p % 8)
	}
}

// mayHave says of a line whether the key may be there. What is no line has everything.
func mayHave(line []byte, h hashed) bool {
	if len(line) != lineOctets {
		return true
	}
	for _, p := range h.positions() {
		if line[p/8]&(1<<(p%8)) == 0 {
			return false
		}
	}
	return true
}

// wanted are keys that an entry has: of each list one, if it is what a query asks for.
type wanted [][]hashed

// wantedOf are those of a query; none where columns with filters say nothing of it.
func wantedOf(q *journal.Query) (list wanted) {
	add := func(keys ...hashed) { list = append(list, keys) }
	text := func(column, kind, text string) {
		if text != "" {
			add(hash(column, keyOf(kind, text)))
		}
	}
	text("queue", journal.ColumnQueue, q.QueueID)
	text("token", journal.ColumnToken, q.Token)
	text("message", journal.ColumnMessageID, journal.BareID(q.MessageID))
	if q.ID != "" {
		add(hash("queue", keyOf(journal.ColumnQueue, q.ID)), hash("token", keyOf(journal.ColumnToken, q.ID)),
			hash("message", keyOf(journal.ColumnMessageID, journal.BareID(q.ID))))
	}
	text("author", journal.ColumnDomain, q.Domain)
	text("mailfrom", journal.ColumnDomain, journal.DomainOf(q.MailFrom))
	if q.Client.IsValid() {
		if first, last := journal.NumbersOf(q.Client); first == last {
			add(hash("client", first))
		}
	}
	return list
}
