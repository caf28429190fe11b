package spool

import "io"

// Survey is what a spool holds, seen from outside.
type Survey struct {
	ID       ID
	Segments int
	Octets   int64
	// Waiting are records above the number that was asked for.
	Waiting int
	// Damaged are places that hold no whole frame, above that number.
	Damaged int
}

// Look tells what lies in the spool of dir and how many records come after a number. It
// is os.ErrNotExist where there is none.
func Look(dir string, after Number) (s Survey, err error) {
	r, err := NewReader(dir, after+1)
	if err != nil {
		return s, err
	}
	defer r.Close()
	list, err := segments(dir)
	if err != nil {
		return s, err
	}
	s.ID, s.Segments = r.ID(), len(list)
	for i := range list {
		s.Octets += list[i].size
	}
	r.Damaged = func(Damage) { s.Damaged++ }
	for {
		f, err := r.Next()
		if err == io.EOF {
			return s, nil
		}
		if err != nil {
			return s, err
		}
		if f.Kind == KindRecord {
			s.Waiting++
		}
	}
}
