package resolver

// turn is what an asker does next; the first of these that is set. Where none is, he
// waits for a slot to ask question i.
type turn struct {
	over     bool            // he has an answer, or err
	run      bool            // he asks question i, with a slot that he holds
	later    <-chan struct{} // he waits for what another lane leaves
	answered <-chan struct{} // he waits for an answer that is under way

	i      int
	answer *Answer
	err    error
}

// asker is one who asks, as far as he has come.
type asker struct {
	from   *share // whose questions and slots he uses
	held   bool   // he holds a slot
	waited bool   // for what another lane leaves
	ended  bool   // his time is up
}

// turn says what a is to do next. Who holds a slot does so no more unless he is to run.
func (b *Budget) turn(k key, a asker) turn {
	b.mu.Lock()
	defer b.mu.Unlock() // also after a panic: others of the message go on
	i, later := b.entry(k, a)
	if later != nil {
		return turn{later: later}
	}
	if i < 0 {
		return turn{over: true, err: &Error{Name: k.name, Type: k.qtype, Err: ErrBudget}}
	}
	q := &b.asked[i]
	// A free slot is taken even when ctx has ended, as what is cached is
	// answered in any case.
	if q.state == idle && (a.held || a.from.free()) {
		q.state = busy
		return turn{i: i, run: true}
	}
	if a.held { // while it was waited for, another share asked
		<-a.from.slots
	}
	switch q.state {
	case done:
		return turn{over: true, answer: q.answer, err: q.err}
	case idle: // and stays so: another share with a free slot may ask it
		return turn{i: i}
	}
	return turn{i: i, answered: q.whenAnswered()}
}
