// SPDX-License-Identifier: GPL-2.0
/*
 * One buffer each way, a frame of the largest size long. Linked into vmrun and into the
 * guest's process 1; called by session.c and guest/agent.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "agent_link.h"

void agent_link_init(struct agent_link *link, int fd)
{
	link->fd = fd;
	link->in_head = 0;
	link->in_len = 0;
	link->out_head = 0;
	link->out_len = 0;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

bool agent_link_receive(struct agent_link *link)
{
	ssize_t n;

	if (link->in_head) {
		memmove(link->in, link->in + link->in_head, link->in_len);
		link->in_head = 0;
	}
	/* Full: a whole frame is there, take it first. */
	if (link->in_len == sizeof(link->in))
		return true;
	n = recv(link->fd, link->in + link->in_len, sizeof(link->in) - link->in_len, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	link->in_len += n;
	return n > 0;
}

int agent_link_next(struct agent_link *link, struct agent_frame *frame, const u8 **payload)
{
	const u8 *at = link->in + link->in_head;

	if (link->in_len < sizeof(*frame))
		return 0;
	memcpy(frame, at, sizeof(*frame));
	if (frame->length > AGENT_MAX_PAYLOAD)
		return -1;
	if (link->in_len < sizeof(*frame) + frame->length)
		return 0;
	*payload = at + sizeof(*frame);
	link->in_head += sizeof(*frame) + frame->length;
	link->in_len -= sizeof(*frame) + frame->length;
	return 1;
}

size_t agent_link_room(const struct agent_link *link)
{
	size_t room = sizeof(link->out) - link->out_len;

	return room > sizeof(struct agent_frame) ? room - sizeof(struct agent_frame) : 0;
}

bool agent_link_put(struct agent_link *link, enum agent_type type, unsigned int stream,
		    unsigned int session, const void *payload, size_t len)
{
	const struct agent_frame frame = {
		.type = type, .stream = stream, .session = session, .length = len,
	};

	if (sizeof(link->out) - link->out_len < sizeof(frame) + len)
		return false;
	if (link->out_head) {
		memmove(link->out, link->out + link->out_head, link->out_len);
		link->out_head = 0;
	}
	memcpy(link->out + link->out_len, &frame, sizeof(frame));
	if (len)
		memcpy(link->out + link->out_len + sizeof(frame), payload, len);
	link->out_len += sizeof(frame) + len;
	return true;
}

bool agent_link_send(struct agent_link *link)
{
	while (link->out_len) {
		ssize_t n = send(link->fd, link->out + link->out_head, link->out_len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		link->out_head += n;
		link->out_len -= n;
	}
	link->out_head = 0;
	return true;
}
