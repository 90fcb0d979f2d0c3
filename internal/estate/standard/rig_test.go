package standard_test

import "testing/fstest"

// fsys is a folder of files.
func fsys(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{"README.md": {Data: []byte("nothing")}}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}
