package postgres

import "errors"

// Check reads what a URL is made of without connecting: the URL, the files that it names,
// and the password.
func (a Access) Check() error {
	_, err := a.config()
	if inner := errors.Unwrap(err); inner != nil {
		return inner // without the URL
	}
	return err
}
