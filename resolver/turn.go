package resolver

// turn is what one who asks does next: he has the answer (over), asks question i with a
// slot that he has (run), or waits: for what another lane leaves (later), for an answer
// that is under way (answered), or else for a slot.
type turn struct {
	i               int
	over, run       bool
	answer          *Answer
	err             error
	later, answered <-chan struct{}
}

// turn says so. Who holds a slot does so no more unless he is to run.
func (b *Budget) turn(k key, from *share, waited, held, ended bool) turn {
	b.mu.Lock()
	defer b.mu.Unlock() // also after a panic: others of the message go on
	i, later := b.entry(k, from, waited, ended)
	if later != nil {
		return turn{later: later}
	}
	if i < 0 {
		return turn{over: true, err: &Error{Name: k.name, Type: k.qtype, Err: ErrBudget}}
	}
	q := &b.asked[i]
	// A free slot is taken even when ctx has ended, as what is cached is
	// answered in any case.
	if q.state == idle && (held || from.free()) {
		q.state = busy
		return turn{i: i, run: true}
	}
	if held { // while it was waited for, another share asked
		<-from.slots
	}
	switch q.state {
	case done:
		return turn{over: true, answer: q.answer, err: q.err}
	case idle: // and stays so: another share with a free slot may ask it
		return turn{i: i}
	}
	return turn{i: i, answered: q.whenAnswered()}
}
