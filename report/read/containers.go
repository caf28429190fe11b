package read

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
)

func (f *file) gzip(part string, depth int, in io.Reader) error {
	packed := &counted{r: in}
	buf := bufio.NewReader(packed)
	z, err := gzip.NewReader(buf)
	if err != nil {
		return f.local(part, fmt.Errorf("gzip: %w", err))
	}
	z.Multistream(false)
	all := &members{in: buf, z: z}
	err = f.content(within(part, "gzip"), depth+1, &expanding{file: f, r: all, in: func() int64 { return packed.n }})
	if all.more {
		f.say(part, "gzip: what follows its end is left out")
	}
	return err
}

// members reads all members of a gzip (RFC 1952 section 2.2), and nothing behind them.
type members struct {
	in   *bufio.Reader
	z    *gzip.Reader
	more bool // something else follows
}

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.z.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		rest, _ := m.in.Peek(512)
		if !bytes.HasPrefix(rest, []byte("\x1f\x8b")) || m.z.Reset(m.in) != nil {
			m.more = len(bytes.Trim(rest, "\x00 \r\n")) > 0 // those fill up blocks
			return n, err
		}
		m.z.Multistream(false)
		if n > 0 { // bufio gives up after many reads of nothing, as of empty members
			return n, nil
		}
	}
}

// maxZipHeld is how much of an archive is kept in memory; a larger one, as its
// directory stands at its end, goes to a temporary file.
const maxZipHeld = 1 << 20

func (f *file) zip(part string, depth int, in io.Reader) error {
	at, size, done, err := seekable(in)
	if err != nil {
		return ownError{err}
	}
	defer done()
	directory := &directoryReader{at: at, left: maxDirectory - f.directories}
	archive, err := zip.NewReader(directory, size)
	used := directory.read
	f.directories += used
	defer func() { f.directories -= used }()
	directory.left = math.MaxInt64 // from here on members are read
	if err != nil {
		f.say(part, fmt.Sprintf("zip: its directory cannot be read: %v", err))
		return f.brokenZip(part, depth, at, size)
	}
	for _, member := range archive.File {
		if member.FileInfo().IsDir() {
			continue
		}
		where := within(part, fmt.Sprintf("zip member %.100q", member.Name))
		if text := unreadable(member.Flags, member.Method); text != "" {
			f.say(where, text)
			continue
		}
		r, err := member.Open()
		if err != nil {
			f.problem(where, err)
			continue
		}
		packed := max(int64(min(member.CompressedSize64, uint64(size))), 1)
		err = f.content(where, depth+1, &expanding{file: f, r: r, in: func() int64 { return packed }})
		r.Close()
		if err != nil {
			return err
		}
	}
	if len(archive.File) == 0 {
		f.say(part, "zip: no members")
	}
	return nil
}

// maxDirectory is how much of the directories of archives that are open one in the other
// is read, as what they say of each member is held; ours.
const maxDirectory = 4 << 20

// directoryReader bounds what is read of an archive.
type directoryReader struct {
	at         io.ReaderAt
	read, left int64
}

func (d *directoryReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := d.at.ReadAt(p, off)
	d.read += int64(n)
	if d.left -= int64(n); d.left < 0 {
		return 0, boundError{"the octets of the directories of archives"}
	}
	return n, err
}

// zipMethods are those that are not read (APPNOTE.TXT section 4.4.5).
var zipMethods = map[uint16]string{9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "zstd", 95: "xz", 99: "AES"}

// unreadable says why a member of an archive cannot be read, or "".
func unreadable(flags, method uint16) string {
	const encrypted = 1
	switch {
	case flags&encrypted != 0:
		return "zip: it is encrypted"
	case method != zip.Deflate && method != zip.Store:
		return strings.TrimRight(fmt.Sprintf("zip: compression method %d is not known: %s", method, zipMethods[method]), ": ")
	}
	return ""
}

// seekable gives access to any place of in.
func seekable(in io.Reader) (at io.ReaderAt, size int64, done func(), err error) {
	var held bytes.Buffer
	if _, err := io.CopyN(&held, in, maxZipHeld); errors.Is(err, io.EOF) {
		return bytes.NewReader(held.Bytes()), int64(held.Len()), func() {}, nil
	}
	tmp, err := os.CreateTemp("", "alignd-report-")
	if err != nil {
		return nil, 0, nil, fmt.Errorf("keeping an archive aside: %w", err)
	}
	_ = os.Remove(tmp.Name())
	size, err = io.Copy(tmp, io.MultiReader(&held, in))
	if err != nil {
		tmp.Close()
		return nil, 0, nil, fmt.Errorf("keeping an archive aside: %w", err)
	}
	return tmp, size, func() { tmp.Close() }, nil
}

// localHeader is the length of what stands before a member of an archive, but for its
// name (APPNOTE.TXT section 4.3.7).
const localHeader = 30

// brokenZip reads the members of an archive whose end is missing or followed by something
// else, one after the other from their own headers.
func (f *file) brokenZip(part string, depth int, at io.ReaderAt, size int64) error {
	for start, n := int64(0), 1; start+localHeader <= size; n++ {
		var h [localHeader]byte
		if _, err := at.ReadAt(h[:], start); err != nil {
			return ownError{err}
		}
		if string(h[:4]) != "PK\x03\x04" {
			return nil
		}
		method, flags := binary.LittleEndian.Uint16(h[8:]), binary.LittleEndian.Uint16(h[6:])
		packed := int64(binary.LittleEndian.Uint32(h[18:]))
		data := start + localHeader + int64(binary.LittleEndian.Uint16(h[26:])) + int64(binary.LittleEndian.Uint16(h[28:]))
		const sizeFollows = 8
		if flags&sizeFollows != 0 || packed == 0 && method == zip.Deflate || data+packed > size {
			packed = max(size-data, 0) // it ends where its own format says
		}
		in := &counted{r: io.NewSectionReader(at, data, packed)}
		if text := unreadable(flags, method); text != "" {
			f.say(part, text)
			return nil
		}
		buf := bufio.NewReader(in)
		var r io.Reader = buf
		if method == zip.Deflate {
			r = flate.NewReader(buf)
		}
		err := f.content(within(part, fmt.Sprintf("zip member %d", n)), depth+1, &expanding{file: f, r: r, in: func() int64 { return in.n }})
		if err != nil {
			return err
		}
		if flags&sizeFollows != 0 { // 12 to 24 octets (APPNOTE.TXT section 4.3.9)
			descriptor, _ := buf.Peek(32)
			next := bytes.Index(descriptor, []byte("PK\x03\x04"))
			if next < 0 {
				return nil
			}
			packed = in.n - int64(buf.Buffered()) + int64(next)
		}
		start = data + packed
	}
	return nil
}

func (f *file) tar(part string, depth int, in io.Reader) error {
	for archive := tar.NewReader(in); ; {
		member, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return f.local(part, fmt.Errorf("tar: %w", err))
		}
		if member.Typeflag != tar.TypeReg {
			continue
		}
		if err := f.content(within(part, fmt.Sprintf("tar member %.100q", member.Name)), depth+1, archive); err != nil {
			return err
		}
	}
}
