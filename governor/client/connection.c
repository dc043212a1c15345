/* Finding the governor, and finding it again. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "governor/client/session.h"

#define SECOND_NS 1000000000LL
#define ATTEND_NS 100000000LL /* the connection is looked at so often */
#define HELLO_NS 20000000LL   /* a welcome is looked for so often */

#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#define F_SEAL_SHRINK 2
#endif

int fly_fork_generation = 0;
static pthread_mutex_t sessions_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t prepare_once = PTHREAD_ONCE_INIT;
static struct flyball_session* sessions = NULL;
static int told = 0; /* that there is no governor */

static void lock_sessions(void) { pthread_mutex_lock(&sessions_lock); }
static void unlock_sessions(void) { pthread_mutex_unlock(&sessions_lock); }

/* The child lets go, so that the governor sees its parent go. Its copies know by the generation. */
static void leave_to_parent(void) {
  __atomic_add_fetch(&fly_fork_generation, 1, __ATOMIC_RELAXED);
  for (struct flyball_session* s = sessions; s != NULL; s = s->next) {
    if (s->socket >= 0) close(s->socket);
    s->socket = -1;
    if (s->shared != NULL) munmap(s->shared, FLYBALL_SHARED_BYTES);
    s->shared = NULL;
    s->forked = 1;
  }
  sessions = NULL;
  pthread_mutex_unlock(&sessions_lock);
}

static void prepare(void) { pthread_atfork(lock_sessions, unlock_sessions, leave_to_parent); }

void fly_register(struct flyball_session* s) {
  pthread_once(&prepare_once, prepare);
  s->fork_generation = fly_fork_generation;
  lock_sessions();
  s->next = sessions;
  if (sessions != NULL) sessions->before = s;
  sessions = s;
  unlock_sessions();
}

void fly_unregister(struct flyball_session* s) {
  if (s->forked) return;
  lock_sessions();
  if (s->before != NULL) s->before->next = s->next;
  if (sessions == s) sessions = s->next;
  if (s->next != NULL) s->next->before = s->before;
  unlock_sessions();
}

/* Waits in line for so long at most, where others are before it. */
static int connect_to(const char* path, int patience_ms) {
  struct sockaddr_un address;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(address.sun_path, path);
  const int fd =
      socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (patience_ms > 0 ? 0 : SOCK_NONBLOCK), 0);
  if (fd < 0) return -1;
  const struct timeval patience = {patience_ms / 1000, patience_ms % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, (const struct sockaddr*)&address, sizeof address) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

/* s->path says where it looked last. */
static int find_governor(struct flyball_session* s, int patience_ms) {
  const char* asked = getenv("FLYBALL_SOCKET");
  if (asked != NULL && *asked != 0) {
    snprintf(s->path, sizeof s->path, "%s", asked);
    return connect_to(asked, patience_ms);
  }
  snprintf(s->path, sizeof s->path, "/run/flyball/%s", FLY_SOCKET_NAME);
  const int fd = connect_to(s->path, patience_ms);
  const char* runtime = getenv("XDG_RUNTIME_DIR");
  if (fd >= 0 || errno == EAGAIN || runtime == NULL || *runtime == 0) return fd;
  if ((size_t)snprintf(s->path, sizeof s->path, "%s/flyball/%s", runtime, FLY_SOCKET_NAME) <
      sizeof s->path)
    return connect_to(s->path, patience_ms);
  errno = ENAMETOOLONG;
  return -1;
}

static void tell_once(const struct flyball_session* s, int error) {
  const char* quiet = getenv("FLYBALL_QUIET");
  if (__atomic_exchange_n(&told, 1, __ATOMIC_RELAXED) || (quiet != NULL && *quiet == '1')) return;
  const char* on = "going on without, and looking again";
  if (error == EAGAIN)
    fprintf(stderr, "flyball: the governor at %s has more callers than it can take; %s\n", s->path,
            on);
  else if (error == ETIMEDOUT)
    fprintf(stderr, "flyball: the governor at %s does not answer, it may be stopped; %s\n", s->path,
            on);
  else if (error == EPROTO)
    fprintf(stderr,
            "flyball: what answers at %s speaks another version of the interface than this "
            "libflyball (%d); %s, use those of one flyball\n",
            s->path, FLYBALL_INTERFACE, on);
  else
    fprintf(stderr,
            "flyball: no governor at %s: %s; going on without, start 'flyball run' for one\n",
            s->path, strerror(error));
}

static void hang_up(struct flyball_session* s, int64_t now_ns) {
  if (s->socket >= 0) close(s->socket);
  s->socket = -1;
  s->welcomed = 0;
  s->features = 0;
  if (s->gone_ns == 0) s->gone_ns = now_ns;
}

/* Of the reports that the next governor gets. */
static uint64_t first_unread(const struct flyball_session* s) {
  if (s->shared == NULL) return s->sequence;
  const uint64_t tail = __atomic_load_n(&s->shared->tail, __ATOMIC_ACQUIRE);
  return s->head - tail - 1 < FLYBALL_RING_JOBS ? s->shared->job[tail % FLYBALL_RING_JOBS].sequence
                                                : s->sequence;
}

static void say_hello(struct flyball_session* s, int64_t now_ns, int patience_ms) {
  s->try_ns = now_ns + (s->shared != NULL ? ATTEND_NS : SECOND_NS);
  s->socket = find_governor(s, patience_ms);
  if (s->socket < 0) {
    tell_once(s, errno);
    return;
  }
  fly_drop_ended_threads(s);
  s->hello.first_sequence = first_unread(s);
  struct iovec parts[] = {{&s->hello, sizeof s->hello}, {s->text, s->hello.text_bytes}};
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_iov = parts;
  message.msg_iovlen = s->hello.text_bytes > 0 ? 2 : 1;
  s->hello_ns = now_ns;
  s->try_ns = now_ns + SECOND_NS;
  if (sendmsg(s->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EPIPE)
    hang_up(s, now_ns); /* a refusal may be there to be heard */
}

/* Reports that the governor before has not read go to the new one first. */
static void hand_over(struct fly_shared* from, struct fly_shared* to, uint64_t* head) {
  const uint64_t tail = __atomic_load_n(&from->tail, __ATOMIC_ACQUIRE);
  uint64_t count = *head - tail;
  if (count > FLYBALL_RING_JOBS) count = FLYBALL_RING_JOBS;
  for (uint64_t i = 0; i < count; ++i)
    to->job[i] = from->job[(*head - count + i) % FLYBALL_RING_JOBS];
  __atomic_store_n(&to->lost, from->lost, __ATOMIC_RELAXED);
  __atomic_store_n(&to->head, count, __ATOMIC_RELEASE);
  *head = count;
}

static int map_memory(struct flyball_session* s, int memory) {
  struct stat info;
  const int seals = fcntl(memory, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(memory, &info) != 0 ||
      info.st_size < (off_t)FLYBALL_SHARED_BYTES)
    return EPROTO;
  void* at = mmap(NULL, FLYBALL_SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (at == MAP_FAILED) return ENOMEM;
  struct fly_shared* fresh = at;
  if (fresh->magic != FLY_MAGIC || fresh->version != FLYBALL_INTERFACE ||
      fresh->ring_jobs != FLYBALL_RING_JOBS) {
    munmap(at, FLYBALL_SHARED_BYTES);
    return EPROTO;
  }
  if (s->shared != NULL) {
    hand_over(s->shared, fresh, &s->head);
    munmap(s->shared, FLYBALL_SHARED_BYTES);
  } else {
    s->head = 0;
  }
  s->shared = fresh;
  s->seen = 0;
  return 0;
}

static void hear_welcome(struct flyball_session* s, int64_t now_ns) {
  struct fly_welcome welcome;
  struct iovec part = {&welcome, sizeof welcome};
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message;
  memset(&message, 0, sizeof message);
  memset(&welcome, 0, sizeof welcome);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  ssize_t got = recvmsg(s->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && errno == ECONNRESET) /* that the hello was not read; why not, comes next */
    got = recvmsg(s->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    if (now_ns - s->hello_ns > SECOND_NS) {
      tell_once(s, ETIMEDOUT);
      hang_up(s, now_ns);
    }
    return;
  }
  int memory = -1;
  struct cmsghdr* header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
  if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
    memcpy(&memory, CMSG_DATA(header), sizeof memory);
  int error = got > 0 ? EPROTO : EPIPE;
  if (got == (ssize_t)sizeof welcome && welcome.magic == FLY_MAGIC && welcome.kind == FLY_WELCOME &&
      welcome.version == FLYBALL_INTERFACE) {
    welcome.why[sizeof welcome.why - 1] = 0;
    error = welcome.error == EPROTONOSUPPORT ? EPROTO : welcome.error;
    if (error != 0) fly_fail(error, "%s", welcome.why);
    if (error == 0) error = memory < 0 ? EPROTO : map_memory(s, memory);
  }
  if (memory >= 0) close(memory);
  if (error != 0) {
    /* One that cannot be spoken with is none: the next one may be another. */
    if (error == EPROTO) tell_once(s, error);
    if (error == EBUSY) tell_once(s, EAGAIN); /* turned away at the door */
    hang_up(s, now_ns);
    if (error == EINVAL || error == EPERM || error == EUSERS || error == ENOTSUP) s->refused = error;
    return;
  }
  s->refused = 0;
  s->welcomed = 1;
  s->features = welcome.features;
  s->gone_ns = 0;
  if (s->efficient) {
    struct fly_change change;
    memset(&change, 0, sizeof change);
    change.kind = FLY_VOTE;
    change.vote = FLY_VOTE_EFFICIENCY;
    change.on = 1;
    fly_send(s, &change);
  }
}

void fly_attend(struct flyball_session* s, int64_t now_ns, int patience_ms) {
  if (s->forked || !fly_is_ours(s)) return;
  if (s->welcomed) {
    struct pollfd wait = {s->socket, POLLIN, 0};
    s->check_ns = now_ns + ATTEND_NS;
    if (poll(&wait, 1, 0) <= 0 || wait.revents == 0) return;
    hang_up(s, now_ns); /* a governor says nothing more but goodbye */
    s->try_ns = now_ns;
  }
  if (s->socket < 0 && now_ns >= s->try_ns) say_hello(s, now_ns, patience_ms);
  if (s->socket >= 0 && !s->welcomed) {
    struct pollfd wait = {s->socket, POLLIN, 0};
    if (patience_ms > 0) {
      const int left_ms = patience_ms - (int)((fly_now_ns() - now_ns) / 1000000);
      if (poll(&wait, 1, left_ms > 0 ? left_ms : 0) == 0 && left_ms > 0) tell_once(s, ETIMEDOUT);
    }
    hear_welcome(s, now_ns);
  }
  s->check_ns = now_ns + (s->welcomed || s->socket < 0 ? ATTEND_NS : HELLO_NS);
  /* The next governor may be there soon: only then is it as if there had never been one. */
  if (s->gone_ns != 0 && now_ns - s->gone_ns > SECOND_NS && s->now.number != 0)
    fly_default_setting(s);
}

int fly_send(struct flyball_session* s, const struct fly_change* change) {
  if (s->forked || !s->welcomed)
    return fly_fail(EPIPE, "no governor: nothing was told; start 'flyball run'");
  struct fly_change message = *change;
  message.magic = FLY_MAGIC;
  if (send(s->socket, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return 0;
  if (errno == EAGAIN)
    return fly_fail(EBUSY, "the governor is slow to read: not told; try again later");
  hang_up(s, fly_now_ns());
  return fly_fail(EPIPE, "the governor is gone: not told; it is looked for again");
}
