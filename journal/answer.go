package journal

// Answer says whether the MTA heard what the record says.
type Answer uint8

// The answers.
const (
	AnswerWritten Answer = iota
	AnswerLost           // the connection to the MTA was lost before
	AnswerUnknown        // the daemon was killed at that moment
)

func (a Answer) String() string {
	return [...]string{"written", "lost", "unknown"}[min(a, AnswerUnknown)]
}

// Answers are the words of all, in order.
var Answers = []string{AnswerWritten.String(), AnswerLost.String(), AnswerUnknown.String()}
