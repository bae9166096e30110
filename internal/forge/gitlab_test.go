package forge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse/internal/forge"
)

// TestGitLab: the rules of GitHub's comments hold for notes, over two pages of them.
func TestGitLab(t *testing.T) {
	type note struct {
		ID     int            `json:"id"`
		Body   string         `json:"body"`
		Author map[string]int `json:"author"`
	}
	var notes []note
	for i := range 120 {
		notes = append(notes, note{i + 1, "hm", map[string]int{"id": 2}})
	}
	notes[5].Body = comment(99, "").Marker.String() // not by us
	states, trouble := []string{}, 2
	mux := http.NewServeMux()
	const project = "/api/v4/projects/acme%2Fshop"
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if trouble > 0 {
			trouble--
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		if r.Header.Get("PRIVATE-TOKEN") != "secret-token" {
			http.Error(w, `{"message":"401 Unauthorized"}`, http.StatusUnauthorized)
			return
		}
		var in struct {
			Body, State, Name, Description string
		}
		if r.Body != http.NoBody {
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				t.Error(err)
			}
		}
		path := strings.TrimPrefix(r.URL.EscapedPath(), project)
		switch {
		case r.Method == http.MethodGet && r.URL.Path == "/api/v4/user":
			fmt.Fprint(w, `{"id":1}`)
		case r.Method == http.MethodGet && path == "/merge_requests/42":
			fmt.Fprintf(w, `{"sha":%q,"web_url":"https://gitlab.example/acme/shop/-/merge_requests/42"}`, head)
		case r.Method == http.MethodGet && path == "/merge_requests/42/notes":
			page, _ := strconv.Atoi(r.FormValue("page"))
			if 100*page < len(notes) {
				w.Header().Set("X-Next-Page", strconv.Itoa(page+1))
			}
			_ = json.NewEncoder(w).Encode(notes[100*(page-1) : min(100*page, len(notes))])
		case r.Method == http.MethodPost && path == "/merge_requests/42/notes":
			notes = append(notes, note{1000, in.Body, map[string]int{"id": 1}})
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(notes[len(notes)-1])
		case r.Method == http.MethodPut && path == "/merge_requests/42/notes/1000":
			notes[slices.IndexFunc(notes, func(n note) bool { return n.ID == 1000 })].Body = in.Body
			fmt.Fprint(w, `{}`)
		case r.Method == http.MethodPost && path == "/statuses/"+head:
			states = append(states, in.State)
			fmt.Fprint(w, `{}`)
		default:
			t.Errorf("%s %s", r.Method, r.URL)
		}
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	c := &clock{now: time.Now()}
	g := forge.NewGitLab(forge.GitLabOptions{API: s.URL + "/api/v4", Token: "secret-token", Project: "acme/shop", Waiting: c.waiting()})
	for run, body := range []string{"one", "two"} {
		posted, err := g.Comment(t.Context(), comment(int64(run), body))
		if err != nil || posted.URL != "https://gitlab.example/acme/shop/-/merge_requests/42#note_1000" {
			t.Fatalf("got %v, %v", posted, err)
		}
	}
	if len(notes) != 121 || !strings.HasSuffix(notes[120].Body, "two") {
		t.Errorf("got %d notes, the last %q", len(notes), notes[len(notes)-1].Body)
	}
	old := comment(3, "old")
	old.Marker.Commit = "0"
	if posted, err := g.Comment(t.Context(), old); err != nil || posted.Left == "" {
		t.Errorf("an older commit: got %v, %v", posted, err)
	}
	if err := g.Check(t.Context(), check(3)); err != nil || !slices.Equal(states, []string{"failed"}) {
		t.Errorf("got %v, %v", states, err)
	}
	if posted, err := g.Mark(t.Context(), comment(3, "> cancelled")); err != nil || posted.URL == "" || !strings.HasSuffix(notes[120].Body, "\n> cancelled\n\ntwo") {
		t.Errorf("marked: %v, %v; the note says %q", posted, err, notes[120].Body)
	}
	cancelled := check(3)
	cancelled.Conclusion = forge.Cancelled
	if err := g.Check(t.Context(), cancelled); err != nil || states[len(states)-1] != "canceled" {
		t.Errorf("got %v, %v", states, err)
	}
	if len(c.waited) != 2 {
		t.Errorf("waited %v, want twice", c.waited)
	}
}
