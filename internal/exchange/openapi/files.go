package openapi

// filePaths are the operations by which a file of any size is sent.
func filePaths(types []any) object {
	announced := object{"required": true, "content": jsonOf(object{"type": "object", "required": []any{"name", "sha256"}, "properties": object{
		"name": text("The file's name, without folders."), "sha256": text("SHA-256 of its bytes, in hexadecimal."),
		"size":   object{"type": "integer", "minimum": 0, "description": "How many bytes it has."},
		"key":    text("Makes the same file another one: a date, say."),
		"format": object{"enum": []any{"json", "ndjson", "csv", "xml", "xlsx", "fhir"}, "description": "How it is written. Left out, that is found out."},
	}})}
	status := func(code, description string) object {
		return object{code: object{"description": description, "content": jsonOf(ref("File"))}, "404": failure("Not a file of yours.")}
	}
	announce := status("201", "It is known now; send its rows.")
	announce["200"] = object{"description": "It was announced before: the state says whether rows are missing.", "content": jsonOf(ref("File"))}
	announce["403"] = failure("No agreement in force covers it.")
	rows := status("200", "How far it is, and what became of its rows.")
	rows["400"] = failure("The body broke off: send the file again, and it goes on from there.")
	rows["409"] = failure("Rows of it are being sent at this moment, or after is not the number of rows that were taken.")
	rows["503"] = failure("Try again: send the file again, and it goes on from there.")
	return object{
		"/v1/files/{type}": object{"post": object{"operationId": "announce-file", "summary": "Announce a file", "requestBody": announced, "responses": announce,
			"parameters": []any{object{"name": "type", "in": "path", "required": true, "schema": object{"enum": types}, "description": "The record type that its rows are."}}}},
		"/v1/files/{id}": object{"get": object{"operationId": "file", "summary": "How far a file is, and what became of its rows", "parameters": []any{pathID("The id of the file.")},
			"responses": status("200", "At its end rows = accepted + held + duplicate + refused, by number and by hash.")}},
		"/v1/files/{id}/rows": object{"post": object{"operationId": "send-rows", "summary": "Send the file",
			"description": "The whole file, of which rows that were taken before are passed over; or, with after, the rows that come next.",
			"parameters": []any{pathID("The id of the file."), object{"name": "after", "in": "query", "schema": object{"type": "integer", "minimum": 0},
				"description": "How many rows were taken: the body holds those after that."}},
			"requestBody": object{"required": true, "content": object{"application/octet-stream": object{}}}, "responses": rows}},
		"/v1/files/{id}/end": object{"post": object{"operationId": "end-file", "summary": "Say that no more rows will come", "parameters": []any{pathID("The id of the file.")},
			"requestBody": object{"required": true, "content": jsonOf(object{"type": "object", "required": []any{"rows"}, "properties": object{"rows": object{"type": "integer", "minimum": 0}}})},
			"responses":   status("200", "It is complete.")}},
		"/v1/files/{id}/faults": object{"get": object{"operationId": "file-faults", "summary": "Rows that were held or refused", "parameters": []any{pathID("The id of the file.")},
			"responses": object{"200": object{"description": "One a line: row, where it stands, field, what is wrong.", "content": object{"application/x-ndjson": object{"schema": ref("Fault")}}},
				"404": failure("Not a file of yours.")}}},
	}
}

func file() object {
	number := func(description string) object { return object{"type": "integer", "description": description} }
	return object{"type": "object", "required": []any{"id", "state", "rows", "accepted", "held", "duplicate", "refused", "reconciled"}, "properties": object{
		"id": text("Its address ends with it."), "state": object{"enum": []any{"receiving", "complete", "broken", "expired"}},
		"rows": number("Taken so far."), "accepted": number("Of these."), "held": number("Of these."), "duplicate": number("Of these."), "refused": number("Of these."),
		"reconciled": object{"type": "boolean", "description": "Whether it is complete and adds up, by number and by hash."},
		"sums":       object{"type": "object", "description": "Sums of SHA-256 modulo 2^256, in hexadecimal: read is the sum of the other four."},
		"faults":     number("Problems of its rows."), "why": text("Why it is broken or expired, and what became of its rows."),
	}}
}

func fault() object {
	return object{"type": "object", "required": []any{"row", "status", "message"}, "properties": object{
		"row": object{"type": "integer", "description": "Its number, from 1."}, "at": text("Where it stands, for people."), "status": object{"enum": []any{"held", "refused"}},
		"id": text("Of the held record, or of the journal's entry."), "field": text("JSON Pointer or column."), "message": text("What is wrong."),
	}}
}
