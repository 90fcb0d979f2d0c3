// Package openapi publishes the API and the record types in force, so that anybody
// can integrate without asking a supplier: an OpenAPI 3.1 document with one path a
// record type, and each type's own JSON Schema.
package openapi

import (
	"maps"

	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

type object = map[string]any

// Document describes the API with the record types of a set. base is the address
// that people reach the program at.
func Document(s *def.Set, body, base string) map[string]any {
	paths := object{
		"/v1/records/{id}":              object{"get": trail()},
		"/v1/submissions/{id}/receipts": object{"get": receiptsAgain()},
	}
	types := []any{}
	for _, t := range def.All[contract.Spec](s) {
		paths["/v1/records/"+t.ID] = object{"post": send(t)}
		types = append(types, t.ID)
	}
	maps.Copy(paths, filePaths(types))
	return object{
		"openapi":  "3.1.0",
		"info":     object{"title": body + ": exchange", "version": "v1", "description": "Records that partners may tell under an agreement. What is beyond the agreement's fields is cut off before anything is stored."},
		"servers":  []any{object{"url": base}},
		"security": []any{object{"token": []any{}}},
		"paths":    paths,
		"components": object{
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "A partner's token."}},
			"schemas":         object{"Receipt": receipt(), "Problem": problem(), "File": file(), "Fault": fault()},
		},
	}
}

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

func text(description string) object { return object{"type": "string", "description": description} }

func jsonOf(schema object) object { return object{"application/json": object{"schema": schema}} }

func failure(description string) object {
	return object{"description": description, "content": object{"application/problem+json": object{"schema": ref("Problem")}}}
}

// send is the operation that takes records of one type.
func send(t def.Of[contract.Spec]) object {
	schema := object{"$ref": "/v1/schemas/" + t.ID}
	description := "One JSON object, an array of them, or one a line."
	if t.Spec.Key != "" {
		description += " The value at " + t.Spec.Key + " names a record: the same again with the same content is a duplicate, with new content a new version."
	}
	return object{
		"operationId": "send-" + t.ID,
		"summary":     "Tell: " + t.Name,
		"description": description,
		"parameters": []any{object{"name": "Idempotency-Key", "in": "header", "required": false, "schema": object{"type": "string", "maxLength": 200},
			"description": "Makes the whole submission safe to send again; the same key with other content is a conflict."}},
		"requestBody": object{"required": true, "content": object{
			"application/json":     object{"schema": object{"oneOf": []any{schema, object{"type": "array", "items": schema}}}},
			"application/x-ndjson": object{"schema": text("One record a line.")},
		}},
		"responses": object{
			"202": object{"description": "One receipt a record, in order, one a line.", "content": object{"application/x-ndjson": object{"schema": ref("Receipt")}}},
			"400": failure("Not readable, or broken off: counts and the address of the receipts say what was stored."),
			"401": failure("No token, or one that is not known."),
			"403": failure("No agreement in force covers it. Nothing was stored."),
			"404": failure("No such record type."),
			"409": failure("The Idempotency-Key came before with other content. Nothing was stored."),
			"413": failure("A record is larger than 1 MiB."),
			"503": failure("Try again: nothing was stored."),
		},
	}
}

func trail() object {
	return object{
		"operationId": "trail", "summary": "What became of a record", "parameters": []any{pathID("The id in the receipt.")},
		"responses": object{"200": object{"description": "Its status and, for each flow, who received which fields, why and when, or what is still to come.", "content": jsonOf(object{"type": "object"})},
			"404": failure("Not a record of yours.")},
	}
}

func receiptsAgain() object {
	return object{
		"operationId": "receipts", "summary": "The receipts of a long submission again", "parameters": []any{pathID("The id of the submission.")},
		"responses": object{"200": object{"description": "One receipt a line.", "content": object{"application/x-ndjson": object{"schema": ref("Receipt")}}},
			"404": failure("Not a submission of yours, or too long ago.")},
	}
}

func pathID(description string) object {
	return object{"name": "id", "in": "path", "required": true, "schema": object{"type": "string"}, "description": description}
}

func problems() object {
	return object{"type": "array", "items": object{"type": "object", "required": []any{"path", "message"}, "properties": object{
		"path": text("JSON Pointer to what is wrong."), "message": text("What is expected there.")}}}
}

func receipt() object {
	return object{"type": "object", "required": []any{"id", "seq", "status", "problems"}, "properties": object{
		"id":       text("Ask for its trail with it."),
		"seq":      object{"type": "integer", "description": "Its number in the order of everything told; 0 if refused."},
		"status":   object{"enum": []any{"accepted", "held", "duplicate", "refused"}},
		"problems": problems(),
	}}
}

// problem is the problem document of RFC 9457.
func problem() object {
	return object{"type": "object", "properties": object{
		"type": text("A URI of the kind of problem."), "title": text("The kind in words."), "status": object{"type": "integer"},
		"detail": text("What is wrong and what to do."), "instance": text("The request's id."), "problems": problems(),
	}}
}
