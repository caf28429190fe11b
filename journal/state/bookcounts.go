package state

// Counts are those of some pairs over the last days, with today, in their order.
func (b *Book) Counts(pairs []Key, days int) []Counts {
	if days < 1 || days > len(b.days) {
		days = len(b.days)
	}
	sums := map[uint32]*Counts{}
	for _, k := range pairs {
		if id, known := b.ids[k]; known {
			sums[id] = &Counts{}
		}
	}
	for _, d := range b.days[len(b.days)-days:] {
		for i := range d.rows {
			r := &d.rows[i]
			if c := sums[r.id]; c != nil {
				c.Messages += uint64(r.messages)
				c.Pass += uint64(r.pass)
				c.Fail += uint64(r.fail)
				c.Refused += uint64(r.refused)
			}
		}
	}
	list := make([]Counts, len(pairs))
	for i, k := range pairs {
		if id, known := b.ids[k]; known {
			list[i] = *sums[id]
		}
	}
	return list
}
