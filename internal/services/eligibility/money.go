package eligibility

import (
	"fmt"
	"strconv"
	"strings"
)

// parseMoney reads pounds as people type them, "£12,500.50", into pence.
func parseMoney(s string) (pence int64, err error) {
	s = strings.NewReplacer("£", "", ",", "", " ", "").Replace(s)
	whole, part, dot := strings.Cut(s, ".")
	if dot && len(part) != 1 && len(part) != 2 || whole == "" || len(whole) > 9 {
		return 0, fmt.Errorf("%w: not an amount of money", strconv.ErrSyntax)
	}
	for len(part) < 2 {
		part += "0"
	}
	for _, r := range whole + part {
		if r < '0' || r > '9' {
			return 0, fmt.Errorf("%w: not an amount of money", strconv.ErrSyntax)
		}
	}
	return strconv.ParseInt(whole+part, 10, 64)
}

// money shows pence in pounds: "£12,500", "£12,500.50".
func money(pence int64) string {
	sign := ""
	if pence < 0 {
		sign, pence = "-", -pence
	}
	s := strconv.FormatInt(pence/100, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if pence%100 != 0 {
		return fmt.Sprintf("%s£%s.%02d", sign, s, pence%100)
	}
	return sign + "£" + s
}
