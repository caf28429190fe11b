package replay

// Note is what a person should know of some of the messages.
type Note struct {
	Count uint64 // never 0
	Text  string // goes on behind the count: "are not counted, as ..."
}

// Notes tell what the counts leave out, and what some of them rest on.
func (c *Counters) Notes() (notes []Note) {
	for _, n := range []Note{
		{c.OverLimit, "were over a limit; limits are not replayed, so they stay as they were"},
		{c.NotCounted, "are not counted, as the MTA gave them up without an answer"},
		{c.DependsOnState, "of the changes rest on how often a message was tried (temperror_for), which would have been otherwise"},
		{c.DependsOnSample, "depend on the sample of pct or a rollout, which is that of the sampling_secret of the time"},
	} {
		if n.Count > 0 {
			notes = append(notes, n)
		}
	}
	return notes
}
