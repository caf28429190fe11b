package resolver

// Used is how many distinct questions were asked.
func (b *Budget) Used() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.asked)
}
