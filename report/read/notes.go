package read

import "fmt"

// notes are the problems of one part, each kind told once with its first line.
type notes struct {
	max   int
	list  []note
	index map[string]int // text to place in list
	more  int            // kinds that found no room
}

type note struct {
	line  int // 0 for the part as a whole
	text  string
	times int
}

// add notes a problem of the part as a whole.
func (n *notes) add(format string, args ...any) { n.at(0, format, args...) }

// at notes a problem with the line where it was first met.
func (n *notes) at(line int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if i, ok := n.index[text]; ok {
		n.list[i].times++
		return
	}
	if len(n.list) >= n.max {
		n.more++
		return
	}
	if n.index == nil {
		n.index = map[string]int{}
	}
	n.index[text] = len(n.list)
	n.list = append(n.list, note{line, text, 1})
}

// texts gives the problems in order.
func (n *notes) texts() []string {
	var list []string
	for _, p := range n.list {
		text := p.text
		if p.line > 0 {
			text = fmt.Sprintf("line %d: %s", p.line, text)
		}
		if p.times > 1 {
			text += fmt.Sprintf(" (%d times)", p.times)
		}
		list = append(list, text)
	}
	if n.more > 0 {
		list = append(list, fmt.Sprintf("and %d further ones", n.more))
	}
	return list
}
