package web

import (
	"net/http"

	"alignd/web/access"
)

// loginPage is the form by which somebody logs in.
func (s *Server) loginPage(w http.ResponseWriter, r *http.Request, status int, f access.LoginForm) {
	s.write(w, r, status, &page{Title: "Log in", Blocks: []block{{Alert: f.Alert}, {Form: &form{Action: "/login", Submit: "Log in", Post: true, Token: f.Token, Fields: []field{
		{Name: "name", Label: "Name"}, {Name: "password", Label: "Password"}, {Name: "to", Value: f.To, Hidden: true},
	}}}}})
}
