package policy

// Rules is a Spec made ready for Decide.
type Rules struct {
	spec Spec
}
