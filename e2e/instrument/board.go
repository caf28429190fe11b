package instrument

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// BoardVariable is the variable of the environment that names the Board's file.
const BoardVariable = "ALIGND_TEST_BOARD"

// The board's layout. Unit: octets.
const (
	clockAt = 0  // int64: seconds
	armedAt = 8  // uint32: the point that fails next, once
	firedAt = 12 // uint32: how often one did
	hangAt  = 16 // uint32: 1 has it hang rather than panic
	seenAt  = 64 // a uint32 for each point: it was passed
	size    = 1 << 16
)

// Board is what a test tells a running daemon.
type Board struct {
	Name string
	b    []byte
}

// NewBoard makes the file name.
func NewBoard(name string) (*Board, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return nil, err
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &Board{name, b}, nil
}

// Close ends the use of the board.
func (b *Board) Close() error { return syscall.Munmap(b.b) }

func (b *Board) word(at int) *uint32 { return (*uint32)(unsafe.Pointer(&b.b[at])) }

// SetClock has the daemon's clock differ from this machine's.
func (b *Board) SetClock(by time.Duration) {
	atomic.StoreInt64((*int64)(unsafe.Pointer(&b.b[clockAt])), int64(by/time.Second))
}

// Panic has the function at p panic when it is called next, and only then.
func (b *Board) Panic(p Point) { b.arm(p, 0) }

// Hang has it wait for ever instead.
func (b *Board) Hang(p Point) { b.arm(p, 1) }

func (b *Board) arm(p Point, hang uint32) {
	atomic.StoreUint32(b.word(firedAt), 0)
	atomic.StoreUint32(b.word(hangAt), hang)
	atomic.StoreUint32(b.word(armedAt), p.ID)
}

// Disarm takes back what did not happen, and forgets what did.
func (b *Board) Disarm() { b.arm(Point{}, 0) }

// Fired reports whether the function was called since.
func (b *Board) Fired() bool { return atomic.LoadUint32(b.word(firedAt)) > 0 }

// Forget forgets which points were passed.
func (b *Board) Forget() { clear(b.b[seenAt:]) }

// Passed reports whether the function was called since Forget.
func (b *Board) Passed(p Point) bool { return atomic.LoadUint32(b.word(seenAt+4*int(p.ID))) != 0 }
