package sqlite

import (
	"context"
	"database/sql"
	"math"

	"alignd/journal"
)

// A filter is a Bloom filter over the keys of a block of a file in use, which has no
// index: whoever looks for what is rare reads the filters, a tenth of the rows, and then
// the rows of few blocks.
type filter []byte

// filterOctets is how much of a filter there is for each item of a block, and filterBits
// how many bits a key sets: an item has up to nine keys, most of which others of its
// block have, too. Of blocks without a key one in a hundred passes. The numbers are ours.
const (
	filterOctets = 8
	filterBits   = 4
)

func newFilter(items int) filter { return make(filter, max(64, items*filterOctets)) }

func (f filter) add(key int64) {
	for i := range filterBits {
		at := f.bit(key, i)
		f[at/8] |= 1 << (at % 8)
	}
}

func (f filter) has(key int64) bool {
	for i := range filterBits {
		if at := f.bit(key, i); f[at/8]&(1<<(at%8)) == 0 {
			return false
		}
	}
	return len(f) > 0
}

// bit is the i-th one of a key. Keys of texts are hashes; numbers of clients are not.
func (f filter) bit(key int64, i int) uint64 {
	h := uint64(key) * 0x9e3779b97f4a7c15
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 32
	return (h + uint64(i)*(h>>17|1)) % (uint64(len(f)) * 8)
}

// addColumns adds all keys of an item.
func (f filter) addColumns(c *journal.Columns) {
	for _, key := range [...]journal.Key{c.Queue, c.Token, c.MessageID, c.Author, c.MailFrom, c.Rule} {
		if key != 0 {
			f.add(int64(key))
		}
	}
	f.add(c.Client)
	f.add(networkOf(c.Client))
}

// networkOf is a key for the /24 of a client's number; of IPv6 for its /48.
func networkOf(client int64) int64 {
	if client >= 0 && client <= 0xffffffff {
		return client&^0xff ^ -1<<62
	}
	return client&^0xffff ^ 1<<61
}

// wanted are keys that a query's entries have: one at least of each list.
func wanted(q *journal.Query) (lists [][]int64) {
	key := func(column, text string) int64 { return int64(journal.KeyOf(column, text)) }
	add := func(column, text string) {
		if text != "" {
			lists = append(lists, []int64{key(column, text)})
		}
	}
	add(journal.ColumnQueue, q.QueueID)
	add(journal.ColumnToken, q.Token)
	add(journal.ColumnMessageID, journal.BareID(q.MessageID))
	if q.ID != "" {
		lists = append(lists, []int64{key(journal.ColumnQueue, q.ID), key(journal.ColumnToken, q.ID), key(journal.ColumnMessageID, journal.BareID(q.ID))})
	}
	add(journal.ColumnDomain, q.Domain)
	add(journal.ColumnDomain, journal.DomainOf(q.MailFrom))
	add(journal.ColumnRule, q.Rule)
	if p := q.Client; p.IsValid() {
		if first, last := journal.NumbersOf(p); first == last {
			lists = append(lists, []int64{first})
		} else if n := journal.NetworkOf(p.Addr()); n.Bits() <= p.Bits() {
			lists = append(lists, []int64{networkOf(first)})
		}
	}
	return lists
}

// passes: the block may hold an entry that is wanted.
func (f filter) passes(lists [][]int64) bool {
	for _, list := range lists {
		found := false
		for _, key := range list {
			found = found || f.has(key)
		}
		if !found {
			return false
		}
	}
	return true
}

// span are ids of rows, the first and the last one.
type span struct{ first, last int64 }

var everything = span{0, math.MaxInt64}

// filtersAtOnce is how many filters are read in one transaction, for the reason of
// pageRows. The number is ours; tests set another.
var filtersAtOnce = 2000

// frequentShare is the share of blocks, as its reciprocal, from which on it is quicker to
// read all rows than to leap. The number is ours.
const frequentShare = 4

// spans are where entries with wanted keys may be in the blocks below one, the newest
// first, as far as filters are read at once; the next ones are those below the block
// that is returned, which is 0 at the end.
func spans(ctx context.Context, conn *sql.Conn, lists [][]int64, before int64) (list []span, next int64, err error) {
	rows, err := conn.QueryContext(ctx, "SELECT block, data FROM filters WHERE block < ? ORDER BY block DESC LIMIT ?", before, filtersAtOnce)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	all, passed, newest := 0, 0, int64(0)
	for rows.Next() {
		var f sql.RawBytes
		if err := rows.Scan(&next, &f); err != nil {
			return nil, 0, err
		}
		if all++; all == 1 {
			newest = next
		}
		if !filter(f).passes(lists) {
			continue
		}
		passed++
		first := next << placeBits
		if n := len(list); n > 0 && list[n-1].first == first+maxItems {
			list[n-1].first = first
		} else {
			list = append(list, span{first, first + maxItems - 1})
		}
	}
	if passed > all/frequentShare {
		list = []span{{next << placeBits, newest<<placeBits + maxItems - 1}}
	}
	if all < filtersAtOnce {
		next = 0
	}
	return list, next, rows.Err()
}
