package main

import (
	"encoding/json"
	"io"
	"net/url"
	"runtime/debug"
	"strings"
)

// document is the part of CycloneDX 1.5 that is known of a binary:
// https://cyclonedx.org/docs/1.5/json/
type document struct {
	BOMFormat   string      `json:"bomFormat"`
	SpecVersion string      `json:"specVersion"`
	Version     int         `json:"version"`
	Metadata    metadata    `json:"metadata"`
	Components  []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version,omitempty"`
	PURL       string     `json:"purl,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// cyclonedx prints the bill of materials of a binary. The version is handed in: what is
// built with -trimpath does not tell it. There is neither a serial number nor a time,
// which would make each copy another one. The checksums are those of go.sum, which
// CycloneDX has no word for.
func cyclonedx(w io.Writer, info *debug.BuildInfo, version string) error {
	doc := document{BOMFormat: "CycloneDX", SpecVersion: "1.5", Version: 1}
	doc.Metadata.Component = component{Type: "application", Ref: info.Path, Name: info.Main.Path, Version: version}
	for _, s := range info.Settings {
		doc.Metadata.Component.Properties = append(doc.Metadata.Component.Properties, property{Name: "go:build:" + s.Key, Value: s.Value})
	}
	std := strings.TrimPrefix(info.GoVersion, "go")
	doc.Components = []component{{Type: "library", Ref: purl("std", std), Name: "std", Version: std, PURL: purl("std", std)}}
	for _, m := range modules(info) {
		c := component{Type: "library", Ref: purl(m.Path, m.Version), Name: m.Path, Version: m.Version, PURL: purl(m.Path, m.Version)}
		if m.Sum != "" {
			c.Properties = []property{{Name: "go:sum", Value: m.Sum}}
		}
		doc.Components = append(doc.Components, c)
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(doc)
}

// purl is the package URL of a module: https://github.com/package-url/purl-spec
func purl(path, version string) string {
	if version == "" {
		return "pkg:golang/" + path
	}
	return "pkg:golang/" + path + "@" + url.QueryEscape(version)
}
