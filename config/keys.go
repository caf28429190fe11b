package config

import (
	"reflect"
	"sort"
	"strconv"
	"sync"

	"go.yaml.in/yaml/v4"
)

// fieldsCache holds what fieldsOf found, as a list may have 100,000 entries.
var fieldsCache sync.Map // reflect.Type -> map[string]reflect.StructField

// fieldsOf maps the YAML keys of a struct type to its fields; the fields of an
// embedded struct count as the struct's own. The map must not be changed.
func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	if known, ok := fieldsCache.Load(t); ok {
		return known.(map[string]reflect.StructField)
	}
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		if key := f.Tag.Get("yaml"); key != "" && key != "-" {
			fields[key] = f
		}
	}
	fieldsCache.Store(t, fields)
	return fields
}

func keysOf(fields map[string]reflect.StructField) []string {
	keys := make([]string, 0, len(fields))
	for k := range fields {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func kindName(n *yaml.Node) string {
	switch {
	case isNull(n):
		return "nothing"
	case n.Kind == yaml.MappingNode:
		return "keys and values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case mayHoldPassword(n.Value):
		return "a text" // an option and its value without a blank behind the colon
	default:
		return strconv.Quote(clip(n.Value))
	}
}

func join(key, sub string) string {
	if key == "" {
		return sub
	}
	return key + "." + sub
}

func within(key string) string {
	if key == "" {
		return ""
	}
	return " in " + key
}

func orFile(key string) string {
	if key == "" {
		return "the file"
	}
	return key
}
