package spool

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ID names a spool: random octets made with it.
type ID [16]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// A segment begins with
//
//	octets  what
//	8       "alignds1"
//	16      id of the spool
//	8       number of its first frame
//	4       CRC-32C of the above
const (
	segmentMagic  = "alignds1"
	segmentHeader = 8 + 16 + 8 + 4
	segmentSuffix = ".seg"
	foreignSuffix = ".foreign" // behind the name of what is no segment
	idFile        = "id"
)

// segment is one file of the log.
type segment struct {
	path  string
	first Number
	size  int64 // octets, as of the last look
	// written is when it was last written, by the clock.
	written time.Time
	// What only the writer knows: the last number that the segment may hold, and when
	// it ended, by the monotonic clock; one of an earlier run, when this one began.
	last  Number
	ended time.Time
}

func segmentName(first Number) string { return fmt.Sprintf("%016x%s", uint64(first), segmentSuffix) }

// segments lists the files of the log, oldest first.
func segments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []segment
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 16, 64)
		if err != nil || n == 0 || len(digits) != 16 {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) { // removed meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, segment{path: filepath.Join(dir, e.Name()), first: Number(n), size: info.Size(), written: info.ModTime()})
	}
	slices.SortFunc(list, func(a, b segment) int { return cmp.Compare(a.first, b.first) })
	return list, nil
}

func appendSegmentHeader(dst []byte, id ID, first Number) []byte {
	start := len(dst)
	dst = append(dst, segmentMagic...)
	dst = append(dst, id[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(first))
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// checkSegmentHeader says what is wrong with the begin of a segment. errShort: it was
// not written to its end. errDamaged: it is not what was written, while the frames
// behind it may be.
func checkSegmentHeader(b []byte, id ID, first Number) error {
	want := appendSegmentHeader(nil, id, first)
	n := min(len(b), len(want))
	switch {
	case string(b[:n]) == string(want[:n]) && n < len(want):
		return errShort
	case string(b[:n]) == string(want):
		return nil
	case n < segmentHeader || crc32.Checksum(b[:segmentHeader-4], castagnoli) != binary.BigEndian.Uint32(b[segmentHeader-4:]):
		return errDamaged
	case string(b[:8]) != segmentMagic:
		return errors.New("it is no segment of this version")
	case ID(b[8:24]) != id:
		return fmt.Errorf("it is of another spool, id %x", b[8:24])
	}
	return errDamaged // another number than its name says: frames have their own
}

// ReadID reads the id of the spool in dir. It is os.ErrNotExist where there is none.
func ReadID(dir string) (id ID, err error) {
	text, err := os.ReadFile(filepath.Join(dir, idFile))
	if err != nil {
		return ID{}, err
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(b) != len(id) {
		return ID{}, fmt.Errorf("%s: no id of a spool: %.40q", filepath.Join(dir, idFile), text)
	}
	return ID(b), nil
}

// nextRun is above that of each segment, and goes with the clock: a folder that was put back
// as it was before, or lost its last segments, has stores that know later runs of it, and
// would pass over what has their numbers.
func nextRun(list []segment, now time.Time) (run uint64, err error) {
	for _, old := range list {
		run = max(run, old.first.Run())
	}
	if run == maxRun {
		return 0, errors.New("its numbers are used up: a new folder begins anew")
	}
	if by := now.Sub(runsSince) / runEvery; by > 0 && by < maxRun/2 { // else the clock is wrong
		run = max(run, uint64(by)-1)
	}
	return run + 1, nil
}

func newID() (id ID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// writeID gives a directory without segments the id. It is whole or absent, also after a
// power cut.
func (s *Spool) writeID() error {
	path := filepath.Join(s.opt.Dir, idFile)
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := s.opt.disk.Create(path + ".new")
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, s.id.String()+"\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return err
	}
	return syncDir(s.opt.Dir)
}

// syncDir makes names in dir last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
