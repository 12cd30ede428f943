/* Ringstep's communicators, through its C ABI:    allreduce_ringstep tcp|local [ranks] [calls a run]
 *                                     mpirun -np 4 allreduce_ringstep mpi 0 [calls a run] */
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allreduce.h"
#include "ringstep.h"

enum { kMostRanks = 16 };

static int calls = 1000;

static void require(rs_status status) {
  if (status != RS_OK) {
    fprintf(stderr, "%s\n", rs_last_error());
    exit(1);
  }
}

static void all_reduce(void* state, float* values) { require(rs_communicator_all_reduce_floats(state, values, kFloats)); }

static void time_communicator(rs_communicator* communicator) {
  char name[64];
  snprintf(name, sizeof name, "ringstep %s", rs_communicator_name(communicator));
  time_all_reduce(name, rs_communicator_rank(communicator), rs_communicator_size(communicator), calls, all_reduce, communicator);
}

static void tcp(int size) {
  rs_tcp_listener* listeners[kMostRanks];
  char addresses[kMostRanks * 32] = "";
  for (int r = 0; r < size; ++r) {
    require(rs_tcp_listener_create("127.0.0.1", &listeners[r]));
    snprintf(addresses + strlen(addresses), 32, "127.0.0.1 %d\n", rs_tcp_listener_port(listeners[r]));
  }
  addresses[strlen(addresses) - 1] = 0;
  int rank = 0;
  for (int r = 1; r < size && rank == 0; ++r) {
    if (fork() == 0) rank = r;
  }
  rs_communicator* communicator;
  require(rs_tcp_communicator_create(listeners[rank], rank, size, addresses, "key", 3, 60, &communicator));
  time_communicator(communicator);
  rs_communicator_destroy(communicator);
  if (rank == 0) {
    while (wait(NULL) > 0) {}
  }
}

static void* thread(void* communicator) {
  time_communicator(communicator);
  return NULL;
}

static void local(int size) {
  rs_communicator* communicators[kMostRanks];
  pthread_t threads[kMostRanks];
  require(rs_local_communicators_create(size, 60, communicators));
  for (int r = 0; r < size; ++r) pthread_create(&threads[r], NULL, thread, communicators[r]);
  for (int r = 0; r < size; ++r) pthread_join(threads[r], NULL);
  for (int r = 0; r < size; ++r) rs_communicator_destroy(communicators[r]);
}

static void mpi(void) {
  rs_communicator* communicator;
  require(rs_mpi_communicator_create(60, &communicator));
  time_communicator(communicator);
  rs_communicator_destroy(communicator);
}

int main(int argc, char** argv) {
  const char* backend = argc > 1 ? argv[1] : "";
  const int size = argc > 2 ? atoi(argv[2]) : 4;
  if (argc > 3) calls = atoi(argv[3]);
  if (strcmp(backend, "mpi") == 0) {
    mpi();
  } else if (size < 2 || size > kMostRanks) {
    return 2;
  } else if (strcmp(backend, "tcp") == 0) {
    tcp(size);
  } else if (strcmp(backend, "local") == 0) {
    local(size);
  } else {
    return 2;
  }
  return 0;
}
