package postgres

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A filter has each key that was added, in its column alone, and few others.
func TestAFilterHasItsKeys(t *testing.T) {
	for _, records := range []int64{0, 1, 1000, 100_000} {
		b := newBloom(records)
		random := rand.New(rand.NewPCG(1, uint64(records)))
		type key struct {
			column string
			key    int64
		}
		columns := []string{"queue", "token", "message", "author", "mailfrom", "client"}
		var keys []key
		for i := range records {
			for _, c := range columns {
				n := int64(random.Uint64())
				if c == "client" {
					n = 3232235776 + i // addresses follow one another
				}
				keys = append(keys, key{c, n})
			}
		}
		keys = append(keys, key{"message", 0}, key{"client", -1})
		for _, k := range keys {
			b.add(k.column, k.key)
		}
		has := func(column string, key int64) bool {
			h := hash(column, key)
			return mayHave(b.bits[h.line%b.lines()*lineOctets:][:lineOctets], h)
		}
		for _, k := range keys {
			if !has(k.column, k.key) {
				t.Fatalf("%d records: %+v is not there", records, k)
			}
		}
		const strangers = 20_000
		wrong := 0
		for i := range strangers {
			if has(columns[i%6], int64(random.Uint64())) {
				wrong++
			}
		}
		if wrong > strangers/50 {
			t.Errorf("%d records, each with six keys of its own: %d of %d strangers are said to be there", records, wrong, strangers)
		}
	}
	if !mayHave(nil, hash("queue", 1)) {
		t.Error("what is no line has something not")
	}
}

// What is on disk was written with these numbers.
func TestHashesStayWhatTheyAre(t *testing.T) {
	h := hash("message", 4711)
	if want := (hashed{line: 6835569972313620133, bits: 0xe248b50f76b73a0e}); h != want {
		t.Errorf("got %#v", h)
	}
	b := newBloom(100)
	b.add("client", -1)
	var set []int
	for i := range len(b.bits) * 8 {
		if b.bits[i/8]&(1<<(i%8)) != 0 {
			set = append(set, i)
		}
	}
	if want := []int{3188, 3218, 3241, 3279, 3287, 3353}; len(b.bits) != 832 || !slices.Equal(set, want) {
		t.Errorf("of %d octets: %v, want %v of 832", len(b.bits), set, want)
	}
}
