package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"alignd/internal/owned"
	"alignd/journal"
	"alignd/journal/rights"
	"alignd/journal/spool"
)

// Options say where a store is and how long it keeps what. The zero value of all but
// Dir is a default.
type Options struct {
	// Dir holds the files. It is made if it is absent.
	Dir string
	// MaxRows seals a file in use; 0 is DefaultMaxRows.
	MaxRows int64
	// Keep is how long records are kept; 0 is DefaultKeep.
	Keep time.Duration
	// MaxSize bounds all files, in octets; 0 is DefaultMaxSize.
	MaxSize int64
	// Hurry seals without rests: nothing else has to be fast.
	Hurry bool
	// Log hears what an admin should know; nil for nobody.
	Log *slog.Logger
}

// DefaultMaxRows is a million: scanning that many rows without an index takes less
// than a tenth of a second. The number is ours.
const DefaultMaxRows = 1_000_000

// What is kept where Options do not say. The numbers are ours.
const (
	DefaultKeep    = 30 * 24 * time.Hour
	DefaultMaxSize = 10 << 30
)

// maxOpen is how many files in use are open at once. More than two are so only where
// records come late or the clock was set.
const maxOpen = 4

// Store implements journal.Store. Take and Tidy are called by one goroutine.
type Store struct {
	opt  Options
	open map[string]*writing           // by day
	have map[string]map[[16]byte]int64 // by day: what all its files have taken

	retention journal.Retention
	newest    time.Time // the newest record as of Open
	tidied    time.Time // when retain last looked

	health     health
	unsealable map[name]bool // for what is in them
	notBefore  time.Time     // the next file is sealed

	sealing sync.WaitGroup
	sealed  chan error         // the outcome of the last one; nil while none runs
	cancel  context.CancelFunc // of the one that runs
}

// Open makes the directory if needed. Files are opened when they are needed.
func Open(opt Options) (*Store, error) {
	if opt.MaxRows <= 0 {
		opt.MaxRows = DefaultMaxRows
	}
	if opt.Keep <= 0 {
		opt.Keep = DefaultKeep
	}
	if opt.MaxSize <= 0 {
		opt.MaxSize = DefaultMaxSize
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	made := rights.MakeDir(opt.Dir)
	if made != nil && !errors.Is(made, syscall.ENOSPC) && !errors.Is(made, syscall.EDQUOT) { // there may be room later
		return nil, made
	}
	if err := leftovers(opt.Dir); err != nil {
		return nil, err
	}
	list, err := files(opt.Dir)
	if err != nil && made == nil {
		return nil, err
	}
	newest := time.Time{} // before the first record of this run, which has the time of a clock that may be wrong
	if len(list) > 0 {
		newest = newestOf(context.Background(), opt.Dir, list[len(list)-1])
	}
	return &Store{
		opt: opt, open: map[string]*writing{}, have: map[string]map[[16]byte]int64{},
		unsealable: map[name]bool{}, newest: newest,
		retention: journal.Retention{Log: opt.Log},
	}, nil
}

// Close closes the files.
func (s *Store) Close() error {
	if s.cancel != nil {
		s.cancel()
	}
	s.sealing.Wait()
	var errs []error
	for day := range s.open {
		errs = append(errs, s.shut(day))
	}
	return errors.Join(errs...)
}

func (s *Store) shut(day string) error {
	w := s.open[day]
	if w == nil {
		return nil
	}
	delete(s.open, day)
	delete(s.have, day)
	err := w.close()
	if w.isGone() {
		err = errors.Join(err, w.removeCompanions())
	}
	return err
}

// retainEvery is how often retention looks. The number is ours.
const retainEvery = time.Minute

// part is what the log calls a panic of the store by.
const part = "the store of records"

// Tidy implements journal.Store. Sealing goes on beside, one file at a time.
func (s *Store) Tidy(ctx context.Context, now time.Time) error {
	return owned.Tried(s.opt.Log, part, func() error { return s.tidy(ctx, now) })
}

func (s *Store) tidy(ctx context.Context, now time.Time) error {
	if s.sealed != nil {
		select {
		case err := <-s.sealed:
			s.sealed = nil
			s.health.set(func(h *journal.Health) { h.Sealing = false })
			if err := s.notSealed(err); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	if s.tidied.IsZero() || now.Sub(s.tidied) > retainEvery {
		s.tidied = now
		if err := s.retain(ctx, now); err != nil {
			return err
		}
	}
	n, due, err := s.dueToSeal(now)
	if err != nil || !due || time.Now().Before(s.notBefore) {
		return err
	}
	ctx, s.cancel = context.WithCancel(ctx)
	ended := make(chan error, 1)
	s.sealed = ended
	s.health.set(func(h *journal.Health) { h.Sealing = true })
	s.sealing.Go(func() {
		aside(func() {
			ended <- faultOf(n, owned.Tried(s.opt.Log, part, func() error { return s.seal(ctx, n) }))
		})
	})
	return nil
}

// sealAgain is how long nothing is sealed after a disk failed. The number is ours.
const sealAgain = 10 * time.Minute

// notSealed says what becomes of sealing after one file, whose outcome is err. A file
// that is not what it should be stays as it is, for readers and for who mends it: that
// is told once.
func (s *Store) notSealed(err error) error {
	var f *fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f) && (isDamaged(err) || errors.Is(err, ErrForeign) || errors.Is(err, journal.ErrDamagedBlock)):
		s.unsealable[f.file] = true
		s.opt.Log.Error("a file of the journal cannot be sealed and stays as it is", "file", f.file.String(), "err", plain(err))
		return nil
	}
	s.notBefore = time.Now().Add(sealAgain)
	return err
}

// Take implements journal.Store.
func (s *Store) Take(ctx context.Context, from spool.ID, batch []journal.Raw) error {
	days := map[string][]journal.Raw{}
	var order []string
	for _, e := range batch {
		day := e.Record.Evidence.Time.UTC().Format(dayForm)
		if days[day] == nil {
			order = append(order, day)
		}
		days[day] = append(days[day], e)
	}
	for _, day := range order {
		err := owned.Tried(s.opt.Log, part, func() error { return s.takeDay(ctx, day, from, days[day]) })
		if err != nil { // what SQLite thinks of the file now is not to be relied on
			return s.mended(errors.Join(fmt.Errorf("journal of %s: %w", day, err), s.shut(day)))
		}
	}
	return nil
}

func (s *Store) takeDay(ctx context.Context, day string, from spool.ID, batch []journal.Raw) error {
	w, err := s.writing(ctx, day)
	if err != nil {
		return err
	}
	have, err := s.taken(ctx, day, from)
	if err != nil {
		return err
	}
	for len(batch) > 0 && int64(batch[0].Number) <= have {
		batch = batch[1:]
	}
	if len(batch) == 0 {
		return nil
	}
	if err := w.insert(ctx, from, batch); err != nil {
		return faultOf(w.name, refused(err))
	}
	last := int64(batch[len(batch)-1].Number)
	s.have[day][from], w.loaded[from] = last, last
	if w.rows >= s.opt.MaxRows {
		return s.shut(day) // the next record begins a further file, and Tidy seals this one
	}
	return nil
}

// writing is the file in use of a day.
func (s *Store) writing(ctx context.Context, day string) (*writing, error) {
	if w := s.open[day]; w != nil && w.isThere() {
		w.used = time.Now()
		return w, nil
	} else if w != nil {
		return nil, s.removed(w)
	}
	if err := rights.MakeDir(s.opt.Dir); err != nil { // it went with its files
		return nil, err
	}
	n, next, err := s.fileOf(day)
	if err != nil {
		return nil, err
	}
	w, err := openWriting(ctx, s.opt.Dir, n)
	if err != nil {
		return nil, faultOf(n, err)
	}
	if w.rows >= s.opt.MaxRows || !w.layout.current() {
		if err := w.close(); err != nil {
			return nil, err
		}
		if w, err = openWriting(ctx, s.opt.Dir, name{day: day, part: next}); err != nil {
			return nil, err
		}
	}
	if err := s.limitOpen(); err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.used = time.Now()
	s.open[day] = w
	return w, nil
}

// fileOf is the file that a day's records go to, and the part that would follow it: the
// newest one, or a further one where that is sealed, or was put aside.
func (s *Store) fileOf(day string) (n name, next int, err error) {
	list, err := files(s.opt.Dir)
	if err != nil {
		return name{}, 0, err
	}
	n = name{day: day, part: 1}
	for _, f := range list {
		if f.day == day {
			n = f
		}
	}
	gone, err := asides(s.opt.Dir)
	if err != nil {
		return name{}, 0, err
	}
	next = n.part + 1
	for _, a := range gone {
		if a.day == day && a.part >= n.part {
			n.sealed, next = true, max(next, a.part+1)
		}
	}
	if n.sealed {
		n = name{day: day, part: next}
		next++
	}
	return n, next, nil
}

// limitOpen closes the file that was not written for the longest time.
func (s *Store) limitOpen() error {
	if len(s.open) < maxOpen {
		return nil
	}
	var oldest *writing
	for _, w := range s.open {
		if oldest == nil || w.used.Before(oldest.used) {
			oldest = w
		}
	}
	return s.shut(oldest.name.day)
}

// taken is the last number of a spool that any file of the day has. Within a day,
// numbers go to its files in order.
func (s *Store) taken(ctx context.Context, day string, from spool.ID) (int64, error) {
	if s.have[day] == nil {
		s.have[day] = map[[16]byte]int64{}
	}
	if n, known := s.have[day][from]; known {
		return n, nil
	}
	list, err := files(s.opt.Dir)
	if err != nil {
		return 0, err
	}
	most := s.open[day].loaded[from]
	for _, f := range list {
		if f.day != day || f == s.open[day].name {
			continue
		}
		n, err := loadedOf(ctx, s.opt.Dir, f, from)
		if err != nil && !errors.Is(err, errEmpty) {
			return 0, faultOf(f, err)
		}
		most = max(most, n)
	}
	s.have[day][from] = most
	return most, nil
}
