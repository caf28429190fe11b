package evidence

// Incumbent is what a filter in front of alignd wrote about the message: the
// Authentication-Results of one id of compare_with. No rule reads it; it is there to be
// compared.
type Incumbent struct {
	ServID string `cbor:"1,keyasint,omitempty"` // the id, as the configuration has it
	// Fields is how many fields were read; 0: the filter wrote none.
	Fields int `cbor:"2,keyasint,omitempty"`
	// Results are those of the methods that alignd knows too, at most
	// MaxIncumbentResults, each with the properties that say what it is about.
	Results []MethodResult `cbor:"3,keyasint,omitempty"`
}

// MaxIncumbentResults is how many results are kept of one Incumbent; ours.
const MaxIncumbentResults = 20
