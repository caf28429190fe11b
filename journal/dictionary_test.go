package journal

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"alignd/internal/made"
	"alignd/record"
)

func items(from, to int) (all []byte) {
	var w made.World
	for i := from; i < to; i++ {
		r := w.Record(i)
		all = AppendItem(all, &Raw{Entry: Entry{Number: 1, Record: r}, Encoded: record.Append(nil, r)})
	}
	return all
}

func TestADictionaryMakesSmallBlocksSmall(t *testing.T) {
	content, text := items(0, 60), items(60, 90)
	d, err := NewDictionary(content)
	if err != nil {
		t.Fatal(err)
	}
	b := d.Pack(nil, text)
	if alone := PackTight(nil, text); len(b) > len(alone)*9/10 {
		t.Errorf("%d octets with dictionary, %d without", len(b), len(alone))
	}
	if _, err := b.Items(); !errors.Is(err, ErrDamagedBlock) || !errors.Is(err, errNoDictionary) {
		t.Errorf("without its dictionary: %v", err)
	}
	if err := LearnDictionary(content); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Unpack(); err != nil || !bytes.Equal(got, text) {
		t.Errorf("with its dictionary: %d octets of %d, %v", len(got), len(text), err)
	}
	for i := range 50 { // damage is told, whatever octet it is of
		bad := bytes.Clone(b)
		bad[i*len(bad)/50] ^= 0x55
		if got, err := Block(bad).Unpack(); err == nil && bytes.Equal(got, text) && i > 0 {
			t.Errorf("octet %d of %d was damaged, and nobody saw it", i*len(bad)/50, len(bad))
		}
	}
}

func TestAShortDictionaryIsNone(t *testing.T) {
	d, err := NewDictionary([]byte("short"))
	if err != nil {
		t.Fatal(err)
	}
	text := items(0, 3)
	if got, err := d.Pack(nil, text).Unpack(); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d octets of %d, %v", len(got), len(text), err)
	}
}

// Dictionaries of files that are gone are forgotten after a day, and those of files that are
// looked at stay.
func TestDictionariesAreForgotten(t *testing.T) {
	content := func(n byte) []byte { return bytes.Repeat([]byte{'d', n}, minDictionary) }
	has := func(n byte) bool { _, known := dictionaries.Load(numberOf(content(n))); return known }
	hour := time.Hour
	for _, step := range []struct {
		learn byte
		at    time.Duration
	}{{1, 0}, {2, 0}, {1, 20 * hour}, {3, 25 * hour}, {1, 30 * hour}, {4, 50 * hour}} {
		if err := learn(content(step.learn), time.Since(began)+step.at); err != nil {
			t.Fatal(err)
		}
		if step.learn == 3 && (has(2) || !has(1)) {
			t.Error("after a day the one that nobody looked at stays, or the other does not")
		}
	}
	if !has(1) || has(3) || !has(4) {
		t.Error("those of the last day are not the ones that are known")
	}
	d, err := NewDictionary(content(1))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.Pack(nil, []byte("item")).Unpack(); err != nil || string(got) != "item" {
		t.Errorf("%q, %v", got, err)
	}
}
