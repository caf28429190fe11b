package read

// Limits bound what one file may be. A zero field means its default.
type Limits struct {
	// File is the octets of one file, as it comes. Default 1 GiB.
	File int64
	// Expanded is the octets of all that is unpacked from one file. Default 1 GiB.
	Expanded int64
	// Ratio is how many times larger something may get by unpacking, once it is
	// above ratioFloor. Default 200; XML of true reports stays below 60.
	Ratio int64
	// Depth is how many containers may lie in each other (gzip in zip in a part of a
	// mail in a mail). Default 12: each time that a mail is forwarded takes two.
	Depth int
	// Parts is the number of things in one file: members of archives, parts of
	// mail. Default 10,000.
	Parts int
	// Reports is the number of reports in one text. Default 100,000.
	Reports int
	// Records is the number of records of one report. Default 2,000,000.
	Records int
	// Elements is how deep elements may lie in each other. Default 32.
	Elements int
	// Text is the octets of one text, tag or line. Default 1 MiB.
	Text int
	// Items is the number of reasons, results or errors in one record or report.
	// Default 1,000.
	Items int
	// Problems is how many problems are told of one file. Default 100.
	Problems int
}

// ratioFloor is the size in octets below which Limits.Ratio does not count: a long
// report whose rows are alike is packed as well as a bomb, and is read in seconds.
const ratioFloor = 64 << 20

func (l *Limits) fill() {
	def(&l.File, 1<<30)
	def(&l.Expanded, 1<<30)
	def(&l.Ratio, 200)
	def(&l.Depth, 12)
	def(&l.Parts, 10_000)
	def(&l.Reports, 100_000)
	def(&l.Records, 2_000_000)
	def(&l.Elements, 32)
	def(&l.Text, 1<<20)
	def(&l.Items, 1000)
	def(&l.Problems, 100)
}

func def[T int | int64](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// boundError is a bound that was reached.
type boundError struct{ name string }

func (e boundError) Error() string { return "over the limit of " + e.name }
