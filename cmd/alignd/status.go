package main

// ended ends a command with an exit status of its own. err is told, where there is one.
type ended struct {
	status int
	err    error
}

func (e ended) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e ended) Unwrap() error { return e.err }
