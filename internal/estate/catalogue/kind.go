package catalogue

import "github.com/reeve-civic/reeve/internal/kernel/def"

// Spec is what is declared of a service.
type Spec struct {
	Description  string    `json:"description,omitempty" doc:"What it does for whom, in plain words."`
	Audience     string    `json:"audience" def:"required,enum=public|staff|partner" doc:"Whom it is for."`
	LGSL         []int     `json:"lgsl,omitempty" doc:"Numbers of the English local government services list."`
	Owner        string    `json:"owner,omitempty" def:"person" doc:"Directory id of the person or post that answers for it."`
	Deputy       string    `json:"deputy,omitempty" def:"person" doc:"Directory id of who answers when the owner cannot."`
	Organisation string    `json:"organisation,omitempty" def:"ref=Organisation" doc:"Id of the organisation that provides it."`
	Systems      []string  `json:"systems,omitempty" def:"ref=System" doc:"Ids of the systems that it needs."`
	Channels     Channels  `json:"channels,omitempty" doc:"How to reach it."`
	Request      string    `json:"request,omitempty" doc:"Address where it is asked for: a page of this program, or a web address."`
	Support      string    `json:"support,omitempty" doc:"Where to get help: a shared mailbox, a phone number, a page."`
	Hours        string    `json:"hours,omitempty" doc:"When it is there."`
	Research     *Research `json:"research,omitempty" doc:"When users were last listened to."`
	Updated      *def.Date `json:"updated,omitempty" doc:"Day on which the owner last went through this entry."`
	Withdrawn    *def.Date `json:"withdrawn,omitempty" doc:"Day from which it is no longer offered."`
	Words        []string  `json:"words,omitempty" doc:"Other words that people look for it by: bin, rubbish."`
	Lifecycle    string    `json:"lifecycle,omitempty" def:"enum=discovery|alpha|beta|live|retired" doc:"Phase of the service's life."`
}

// Channels are the ways to reach a service.
type Channels struct {
	Online  string `json:"online,omitempty" doc:"Web address."`
	Phone   *bool  `json:"phone,omitempty" doc:"Whether it can be had by phone."`
	Paper   *bool  `json:"paper,omitempty" doc:"Whether it can, or must, be had on paper."`
	Counter *bool  `json:"counter,omitempty" doc:"Whether it can be had at a counter."`
}

// Research says when users were last listened to.
type Research struct {
	Last         def.Date `json:"last" def:"required" doc:"Day of the last round."`
	Participants int      `json:"participants,omitempty" def:"min=0" doc:"How many people took part."`
}

// Kind describes Service to the loader.
func Kind() def.Kind {
	return def.Kind{Name: "Service", Doc: "Something the body does for residents, staff or partners.", Spec: new(Spec)}
}
