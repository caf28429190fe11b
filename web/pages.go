package web

// pages are all of them, in the order of the navigation. A page is added here.
func (s *Server) pages() []*view {
	return []*view{
		{path: "/messages", title: "Messages", nav: true, make: (*asked).messages, hidden: []string{"mail-from"}},
		{path: "/message", title: "Message", make: (*asked).message},
		{path: "/message/again", title: "Judged again", make: (*asked).again},
	}
}
