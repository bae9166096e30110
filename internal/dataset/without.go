package dataset

import (
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/artifact"
	"github.com/rehearse-dev/rehearse/internal/profile"
)

// fewRows is how many rows the largest table has in data without production's
// volume: what a developer's own database has.
const fewRows = 1000

// oddities are the artifacts of each aspect.
var oddities = map[rehearse.Aspect][]string{
	rehearse.AspectNulls: {artifact.Empty, artifact.NullWord, artifact.JSONNull, artifact.NullElement},
	rehearse.AspectEncoding: {
		artifact.Mojibake, artifact.Decomposed, artifact.Replacement, artifact.Control, artifact.ZeroWidth, artifact.NoBreakSpace,
		artifact.Emoji, artifact.RightToLeft,
	},
	rehearse.AspectSpaces:  {artifact.LeadingSpace, artifact.TrailingSpace, artifact.DoubleSpace},
	rehearse.AspectLengths: {artifact.AtLimit, artifact.OverLong},
	rehearse.AspectQuoting: {artifact.Quoting, artifact.HTMLEntity, artifact.LineBreak},
	rehearse.AspectTimes: {
		artifact.ZeroDate, artifact.YearOne, artifact.Epoch, artifact.FarFuture, artifact.Infinity, artifact.Future, artifact.Midnight,
		artifact.Before1900,
	},
	rehearse.AspectNumbers:    {artifact.Negative, artifact.NaN, artifact.Sentinel, artifact.NearOverflow, artifact.LeadingZero},
	rehearse.AspectDocuments:  {artifact.StringifiedJSON, artifact.DuplicateKeys},
	rehearse.AspectDuplicates: {artifact.CaseDuplicates},
}

// Aspects are those that the rows of a dataset have, and can be made without. Of a
// dataset whose files cannot be read they are all there are: reading them says why
// when they are needed.
func Aspects(d rehearse.DataSpec) []rehearse.Aspect {
	all := rehearse.Aspects(rehearse.FacetData)
	s := SpecOf(&d)
	s.Without = nil
	var out []rehearse.Aspect
	for _, a := range all {
		f, err := Read(s)
		if err != nil {
			return all
		}
		// Rows are always there, and production's writes are none of theirs.
		if a == rehearse.AspectRows || a == rehearse.AspectWrites || f.leaveOut(a) {
			out = append(out, a)
		}
	}
	return out
}

// leaveOut takes an aspect out of what rows are made from, and reports whether it
// was there.
func (f *Files) leaveOut(a rehearse.Aspect) bool {
	if a == rehearse.AspectVolume {
		return f.fewer()
	}
	if f.Profile == nil {
		return false
	}
	p := f.Profile
	changed := false
	for i := range p.Tables {
		t := &p.Tables[i]
		for j := range t.Columns {
			if c := &t.Columns[j]; without(c, a) {
				changed = true
			}
		}
		switch a {
		case rehearse.AspectDuplicates:
			changed = changed || len(t.Keys) > 0
			t.Keys = nil
		case rehearse.AspectOrphans:
			for j := range t.References {
				changed = changed || t.References[j].Orphans > 0
				t.References[j].Orphans = 0
			}
		case rehearse.AspectSkew:
			for j := range t.References {
				changed = changed || len(t.References[j].Children) > 0
				t.References[j].Children = nil
			}
		}
	}
	return forget(p, gone(a)) || changed
}

// fewer makes the dataset small.
func (f *Files) fewer() bool {
	var largest int64
	if f.Profile != nil {
		for _, t := range f.Profile.Tables {
			largest = max(largest, t.Rows)
		}
	}
	changed := f.Spec.Rows > fewRows
	f.Spec.Rows = min(f.Spec.Rows, fewRows)
	if scale := float64(fewRows) / float64(max(largest, 1)); scale < f.Spec.Scale {
		f.Spec.Scale, changed = scale, true
	}
	return changed
}

// without takes an aspect out of a column, and reports whether it was there.
func without(c *profile.DataColumn, a rehearse.Aspect) bool {
	before := len(c.Artifacts)
	c.Artifacts = slices.DeleteFunc(c.Artifacts, func(s profile.DataShare) bool { return slices.Contains(oddities[a], s.Name) })
	changed := len(c.Artifacts) < before
	switch a {
	case rehearse.AspectNulls:
		if c.Null > 0 && c.Null < 1 {
			for i := range c.Values {
				c.Values[i].Share /= 1 - c.Null
			}
			c.Null, changed = 0, true
		}
	case rehearse.AspectEncoding:
		listed := len(c.Values)
		c.Values = slices.DeleteFunc(c.Values, func(v profile.DataValue) bool { return !isASCII(v.Value) })
		changed = changed || len(c.Values) < listed
		if t := c.Text; t != nil {
			if slices.ContainsFunc(t.Scripts, func(s profile.DataShare) bool { return s.Name != "Latin" }) {
				t.Scripts, changed = []profile.DataShare{{Name: "Latin", Share: 1}}, true
			}
			t.Shapes = slices.DeleteFunc(t.Shapes, func(v profile.DataValue) bool { return !isASCII(v.Value) })
		}
	case rehearse.AspectLengths:
		if t := c.Text; t != nil && len(t.Length) > 2 && t.Length[0] != t.Length[len(t.Length)-1] {
			middle := t.Length[len(t.Length)/2]
			for i := range t.Length {
				t.Length[i] = middle
			}
			changed = true
		}
	case rehearse.AspectSkew:
		var sum float64
		for _, v := range c.Values {
			sum += v.Share
		}
		for i := range c.Values {
			even := sum / float64(len(c.Values))
			changed = changed || c.Values[i].Share > 1.5*even
			c.Values[i].Share = even
		}
	}
	return changed
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 127 }) < 0
}

// gone tells the buckets that rows are in no more without an aspect.
func gone(a rehearse.Aspect) func(bucket string) bool {
	return func(bucket string) bool {
		switch a {
		case rehearse.AspectSkew:
			return true
		case rehearse.AspectNulls:
			return bucket == "null"
		case rehearse.AspectEncoding:
			return strings.HasPrefix(bucket, "=") && !isASCII(bucket)
		}
		return false
	}
}

// forget takes out of a profile what follows from buckets that no row is in any
// more, and reports whether there was any.
func forget(p *profile.Data, gone func(bucket string) bool) bool {
	classless := map[string]bool{}
	for i := range p.Tables {
		t := &p.Tables[i]
		if t.Classes != nil && inClasses(t.Classes, gone) {
			t.Classes = nil
			classless[t.Name] = true
		}
	}
	changed := len(classless) > 0
	for i := range p.Tables {
		t := &p.Tables[i]
		before := len(t.Depends)
		t.Depends = slices.DeleteFunc(t.Depends, func(d profile.DataDependence) bool {
			return inGiven(d.Given, gone) || changed && (strings.HasSuffix(d.On, "class") || d.Column == "class")
		})
		changed = changed || len(t.Depends) < before
		for j := range t.References {
			if r := &t.References[j]; classless[t.Name] || classless[r.Table] {
				r.Affinity = nil
			}
		}
	}
	return changed
}

func inClasses(c *profile.DataClasses, gone func(bucket string) bool) bool {
	is := func(b profile.DataBucket) bool { return gone(b.Bucket) }
	return slices.ContainsFunc(c.Usual, is) ||
		slices.ContainsFunc(c.List, func(k profile.DataClass) bool { return slices.ContainsFunc(k.Is, is) })
}

func inGiven(given []profile.DataGiven, gone func(bucket string) bool) bool {
	return slices.ContainsFunc(given, func(g profile.DataGiven) bool {
		return gone(g.Bucket) || slices.ContainsFunc(g.Then, func(s profile.DataShare) bool { return gone(s.Name) })
	})
}
