package feed

import (
	"path"
	"strings"

	"github.com/reeve-civic/reeve/connector/format"
)

func guessFormat(name string, _ []byte) format.Spec {
	switch ext := strings.ToLower(path.Ext(name)); ext {
	case ".csv", ".xml", ".xlsx":
		return format.Spec{Name: ext[1:]}
	}
	return format.Spec{Name: "json"}
}
