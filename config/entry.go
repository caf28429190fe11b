package config

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// WithEntry is the text of a configuration file with one more entry, the first of its list;
// all else stays as it is written. entry is such a file with one option, which is a list in
// block style.
func WithEntry(text, entry string) (string, error) {
	name, body, item, err := takenApart(entry)
	if err != nil {
		return "", err
	}
	list, err := listOf(text, name)
	switch {
	case err != nil:
		return "", err
	case list == nil:
		if text = strings.TrimRight(text, "\n"); text != "" {
			text += "\n\n"
		}
		return text + entry, nil
	case list.Kind == yaml.SequenceNode && list.Style&yaml.FlowStyle != 0:
		return inBrackets(text, list, item)
	case list.Kind == yaml.SequenceNode:
		return above(text, list.Line, indented(body, list.Column-1)), nil
	case list.Kind == yaml.ScalarNode && list.Value == "":
		return above(text, list.Line+1, body), nil
	}
	return "", fmt.Errorf("%s is no list in line %d; paste the entry by hand", name, list.Line)
}

// takenApart takes an entry apart: the list that it is for, its lines and what they say.
func takenApart(entry string) (name, body string, item *yaml.Node, err error) {
	root, err := rootOf(entry)
	if err != nil {
		return "", "", nil, err
	}
	head, body, _ := strings.Cut(entry, "\n")
	if root == nil || len(root.Content) != 2 || root.Content[1].Kind != yaml.SequenceNode || len(root.Content[1].Content) != 1 ||
		head != root.Content[0].Value+":" || !strings.HasPrefix(body, "  - ") {
		return "", "", nil, errors.New("this is no entry of a list")
	}
	return root.Content[0].Value, strings.TrimRight(body, "\n") + "\n", root.Content[1].Content[0], nil
}

// rootOf is the mapping that a file is; nil for one without options.
func rootOf(text string) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	if doc.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("this is no configuration file")
	}
	return doc.Content[0], nil
}

// listOf is the value of an option; nil where it is not written.
func listOf(text, name string) (*yaml.Node, error) {
	root, err := rootOf(text)
	if err != nil || root == nil {
		return nil, err
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == name {
			if value := root.Content[i+1]; value.Kind != yaml.ScalarNode || value.Value != "" {
				return value, nil
			}
			return &yaml.Node{Kind: yaml.ScalarNode, Line: root.Content[i].Line}, nil
		}
	}
	return nil, nil
}

// above puts lines above the one of that number, which begins with 1.
func above(text string, line int, lines string) string {
	all := strings.SplitAfter(text, "\n")
	at := min(line-1, len(all))
	before := strings.Join(all[:at], "")
	if before != "" && !strings.HasSuffix(before, "\n") {
		before += "\n"
	}
	return before + lines + strings.Join(all[at:], "")
}

// indented moves lines that begin with two spaces.
func indented(lines string, by int) string {
	var moved strings.Builder
	for line := range strings.Lines(lines) {
		moved.WriteString(strings.Repeat(" ", by) + strings.TrimPrefix(line, "  "))
	}
	return moved.String()
}

// inBrackets puts an item first into a list in flow style.
func inBrackets(text string, list, item *yaml.Node) (string, error) {
	flow := *item
	flow.Style |= yaml.FlowStyle
	written, err := yaml.Dump(&flow, yaml.WithLineWidth(-1))
	if err != nil {
		return "", err
	}
	lines := strings.SplitAfter(text, "\n")
	line := []rune(lines[list.Line-1])
	if list.Column > len(line) || line[list.Column-1] != '[' {
		return "", fmt.Errorf("the list in line %d is not understood; paste the entry by hand", list.Line)
	}
	more := strings.TrimSpace(string(written))
	if len(list.Content) > 0 {
		more += ", "
	}
	lines[list.Line-1] = string(line[:list.Column]) + more + string(line[list.Column:])
	return strings.Join(lines, ""), nil
}
