package journal

import "context"

// Finder is a Reader that looks for the newest entries of many queries at once, in less
// time than one after the other.
type Finder interface {
	Reader
	// Newest hands the newest entry of each query that has one to found, by the place of
	// the query in list.
	Newest(ctx context.Context, list []Query, found func(i int, e *Entry)) error
}
