package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"alignd/journal/spool"
)

// cutBlocks takes an export apart: what is before its blocks, these, and its end.
func cutBlocks(t *testing.T, file []byte) (head []byte, blocks [][]byte, end []byte) {
	t.Helper()
	at := len(exportMagic)
	at += bytes.IndexByte(file[at:], '\n') + 1
	head = file[:at]
	for {
		n := int(binary.BigEndian.Uint32(file[at:]))
		if n == 0 {
			return head, blocks, file[at:]
		}
		blocks = append(blocks, file[at:at+4+n])
		at += 4 + n
	}
}

// A block that fell out or came twice is found, and then the whole export still comes in
// as if nothing had been.
func TestAnExportOfWhichABlockFellOut(t *testing.T) {
	const messages = 9
	file := exportedBy(t, messages, 2)
	head, blocks, end := cutBlocks(t, file)
	if len(blocks) != 5 {
		t.Fatalf("%d blocks", len(blocks))
	}
	last := len(blocks) - 1
	for _, row := range []struct {
		name   string
		blocks [][]byte
	}{
		{name: "the first", blocks: blocks[1:]},
		{name: "one between", blocks: slices.Delete(slices.Clone(blocks), 1, 2)},
		{name: "the last", blocks: blocks[:last]},
		{name: "all", blocks: nil},
		{name: "one twice", blocks: slices.Insert(slices.Clone(blocks), 1, blocks[0])},
		{name: "two changed places", blocks: append([][]byte{blocks[1], blocks[0]}, blocks[2:]...)},
	} {
		t.Run(row.name, func(t *testing.T) {
			hurt := slices.Concat(head, slices.Concat(row.blocks...), end)
			if _, _, err := readExport(hurt); row.name != "two changed places" && (!errors.Is(err, ErrBrokenExport) || !strings.Contains(err.Error(), "its end says 9")) {
				t.Errorf("read: %v", err)
			}
			s := &shelf{have: map[spool.ID]spool.Number{}}
			if err := importExport(t, hurt, s); !errors.Is(err, ErrBrokenExport) {
				t.Errorf("imported: %v", err)
			}
			if err := importExport(t, file, s); err != nil {
				t.Fatal(err)
			}
			for i := range messages {
				if len(s.kept) != messages || s.kept[i] != fmt.Sprintf("token%d lost", i) {
					t.Fatalf("of the whole one: %d messages", len(s.kept))
				}
			}
		})
	}
	if _, _, err := readExport(file); err != io.EOF {
		t.Error(err)
	}
}

func importExport(t *testing.T, file []byte, s Store) error {
	t.Helper()
	x, err := NewExportReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Import(context.Background(), Importing{From: x, Stores: []Store{s}})
	return err
}
