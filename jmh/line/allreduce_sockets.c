/* The line for `tcp`: the least that a C program with blocking sockets must do, one process a rank, no headers, no
 * deadlines, no checks. A ring, and pairs that exchange all they have (recursive doubling, for a power of two), which
 * is quicker for so little data.    allreduce_sockets [ranks] [calls a run] */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allreduce.h"

enum { kMostRanks = 16 };

struct Rank {
  int rank, size;
  int peers[kMostRanks]; /* sockets */
};

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void send_all(int socket, const void* bytes, size_t count) {
  for (const char* p = bytes; count > 0;) {
    const ssize_t n = send(socket, p, count, 0);
    if (n <= 0) die("send");
    p += n, count -= (size_t)n;
  }
}

static void receive_all(int socket, void* bytes, size_t count) {
  for (char* p = bytes; count > 0;) {
    const ssize_t n = recv(socket, p, count, 0);
    if (n <= 0) die("recv");
    p += n, count -= (size_t)n;
  }
}

static void add(float* sum, const float* values, int count) {
  for (int i = 0; i < count; ++i) sum[i] += values[i];
}

static void ring(void* state, float* values) {
  const struct Rank* r = state;
  const int next = r->peers[(r->rank + 1) % r->size], previous = r->peers[(r->rank + r->size - 1) % r->size];
  float part[kFloats];
  for (int step = 0; step < 2 * (r->size - 1); ++step) {
    const int sent = (r->rank - step + 2 * r->size) % r->size, received = (sent + r->size - 1) % r->size;
    const int s = kFloats * sent / r->size, s_end = kFloats * (sent + 1) / r->size;
    const int v = kFloats * received / r->size, v_end = kFloats * (received + 1) / r->size;
    send_all(next, values + s, sizeof(float) * (size_t)(s_end - s));
    receive_all(previous, part, sizeof(float) * (size_t)(v_end - v));
    if (step < r->size - 1) {
      add(values + v, part, v_end - v);
    } else {
      memcpy(values + v, part, sizeof(float) * (size_t)(v_end - v));
    }
  }
}

static void pairs(void* state, float* values) {
  const struct Rank* r = state;
  float other[kFloats];
  for (int bit = 1; bit < r->size; bit *= 2) {
    send_all(r->peers[r->rank ^ bit], values, sizeof other);
    receive_all(r->peers[r->rank ^ bit], other, sizeof other);
    add(values, other, kFloats);
  }
}

/* Connects every rank with every other before they part: sockets[a][b] is a's end of the connection to b. */
static void connect_all(int size, int sockets[kMostRanks][kMostRanks]) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  const int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  if (bind(listener, (struct sockaddr*)&address, length) || listen(listener, 1)) die("listen");
  getsockname(listener, (struct sockaddr*)&address, &length);
  for (int a = 0; a < size; ++a) {
    for (int b = 0; b < a; ++b) {
      sockets[a][b] = socket(AF_INET, SOCK_STREAM, 0);
      if (connect(sockets[a][b], (struct sockaddr*)&address, sizeof address)) die("connect");
      sockets[b][a] = accept(listener, NULL, NULL);
      setsockopt(sockets[a][b], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      setsockopt(sockets[b][a], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
  }
}

int main(int argc, char** argv) {
  const int size = argc > 1 ? atoi(argv[1]) : 4, calls = argc > 2 ? atoi(argv[2]) : 1000;
  int sockets[kMostRanks][kMostRanks];
  if (size < 2 || size > kMostRanks) return 2;
  connect_all(size, sockets);
  struct Rank own = {0, size, {0}};
  for (int r = 1; r < size && own.rank == 0; ++r) {
    if (fork() == 0) own.rank = r;
  }
  memcpy(own.peers, sockets[own.rank], sizeof own.peers);
  time_all_reduce("line ring", own.rank, size, calls, ring, &own);
  if ((size & (size - 1)) == 0) time_all_reduce("line pairs", own.rank, size, calls, pairs, &own);
  if (own.rank == 0) {
    while (wait(NULL) > 0) {}
  }
  return 0;
}
