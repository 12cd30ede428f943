// Every message is a frame: a header of 16 bytes and the values. The thread that needs a message reads it itself from
// a blocking socket: one system call, and no other thread between it and its data.
#include "collective/tcp.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "collective/all_reduce.h"

namespace rs::collective {
namespace {

struct Header {
  uint32_t kind;
  int32_t number;  // of the frame on its connection; in a frame of failure, the rank to blame
  uint64_t bytes;
};
static_assert(sizeof(Header) == 16, "as it travels");

constexpr uint32_t kValues = 0x52535601;   // "RSV" 1
constexpr uint32_t kFailure = 0x52534600;  // "RSF", plus a Failure::Kind
constexpr size_t kMostReason = 400;

std::string name_of(int rank) { return "rank " + std::to_string(rank); }

struct Peer {
  Socket socket;
  int32_t sent = 0, received = 0;  // frames
  bool amid_frame = false;         // part of a frame has been sent
};

// Bytes on their way: a header, then values.
struct Frame {
  Header header;
  char* values;
  size_t bytes;  // of values; what a header that comes says is another matter
  size_t done = 0;

  size_t length() const { return sizeof header + bytes; }
  bool complete() const { return done == length(); }

  // What is still to go, as the system's calls take it.
  msghdr rest(iovec (&parts)[2]) {
    msghdr message = {};
    message.msg_iov = parts;
    if (done < sizeof header) {
      parts[0] = {reinterpret_cast<char*>(&header) + done, sizeof header - done};
      parts[1] = {values, bytes};
      message.msg_iovlen = bytes > 0 ? 2 : 1;
    } else {
      parts[0] = {values + (done - sizeof header), length() - done};
      message.msg_iovlen = 1;
    }
    return message;
  }
};

class Tcp final : public Communicator, private Link {
 public:
  Tcp(std::vector<Socket> sockets, int rank, Deadline deadline)
      : Communicator(rank, static_cast<int>(sockets.size()), deadline), peers_(sockets.size()) {
    for (size_t r = 0; r < sockets.size(); ++r) {
      peers_[r].socket = std::move(sockets[r]);
      if (peers_[r].socket.is_open()) peers_[r].socket.set_timeout(deadline);
    }
  }

  const char* name() const override { return "tcp"; }

  void close() override {
    for (Peer& peer : peers_) peer.socket.close();
  }

 protected:
  void reduce(void* values, int64_t count, Element element) override {
    reduce_by_messages(*this, rank(), size(), values, count, element, scratch_);
  }

  // Whoever waits in recv or poll then finds the end of the stream.
  void wake(const Failure&) override {
    for (const Peer& peer : peers_) {
      if (peer.socket.is_open()) shutdown(peer.socket.descriptor(), SHUT_RD);
    }
  }

  void report(const Failure& failure) override {
    const std::string reason = std::string(failure.what()).substr(0, kMostReason);
    const Header header = {kFailure + static_cast<uint32_t>(failure.kind), failure.rank, reason.size()};
    std::string frame(reinterpret_cast<const char*>(&header), sizeof header);
    frame += reason;
    for (const Peer& peer : peers_) {
      if (!peer.socket.is_open()) continue;
      if (!peer.amid_frame) send(peer.socket.descriptor(), frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      shutdown(peer.socket.descriptor(), SHUT_WR);
    }
  }

 private:
  Peer& peer(int rank) { return peers_[static_cast<size_t>(rank)]; }

  void exchange(int to, const void* out, int64_t out_bytes, int from, void* in, int64_t in_bytes) override {
    Frame sending = {{}, static_cast<char*>(const_cast<void*>(out)), static_cast<size_t>(out_bytes)};
    Frame receiving = {{}, static_cast<char*>(in), static_cast<size_t>(in_bytes)};
    if (to == kNobody) {
      sending.done = sending.length();
    } else {
      sending.header = {kValues, peer(to).sent++, sending.bytes};
      send_some(to, sending);
    }
    if (from == kNobody) receiving.done = receiving.length();
    // Most often all has been sent at once.
    if (!sending.complete()) both_ways(to, sending, from, receiving);
    while (!receiving.complete()) receive_some(from, receiving, 0);
    if (from != kNobody) peer(from).received += 1;
  }

  // While not all can be sent, what comes in must be read, or all would wait for all.
  void both_ways(int to, Frame& sending, int from, Frame& receiving) {
    auto end = Clock::now() + deadline();
    while (!sending.complete()) {
      pollfd events[2] = {{peer(to).socket.descriptor(), POLLOUT, 0}, {-1, POLLIN, 0}};
      if (!receiving.complete()) events[1].fd = peer(from).socket.descriptor();
      const int ready = poll(events, 2, until(end));
      throw_if_aborted();
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) throw Failure(Failure::kTimeout, to, late(to, "takes no data"));
      if (events[1].revents != 0) receive_some(from, receiving, MSG_DONTWAIT);
      if (events[0].revents != 0) send_some(to, sending);
      end = Clock::now() + deadline();
    }
  }

  void send_some(int to, Frame& frame) {
    iovec parts[2];
    const msghdr message = frame.rest(parts);
    const ssize_t sent = sendmsg(peer(to).socket.descriptor(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      frame.done += static_cast<size_t>(sent);
      peer(to).amid_frame = frame.done > 0 && !frame.complete();
    } else if (errno != EAGAIN && errno != EINTR) {
      lost(to, errno);
    }
  }

  // `flags` says whether to wait.
  void receive_some(int from, Frame& frame, int flags) {
    iovec parts[2];
    msghdr message = frame.rest(parts);
    const size_t before = frame.done;
    const ssize_t received = recvmsg(peer(from).socket.descriptor(), &message, flags);
    if (received <= 0) {
      const int error = errno;
      throw_if_aborted();
      if (received < 0 && (error == EINTR || (error == EAGAIN && (flags & MSG_DONTWAIT)))) return;
      if (received < 0 && error == EAGAIN) throw Failure(Failure::kTimeout, from, late(from, "sent nothing"));
      lost(from, received < 0 ? error : 0);
    }
    frame.done += static_cast<size_t>(received);
    if (before < sizeof(Header) && frame.done >= sizeof(Header)) inspect(from, frame);
  }

  // The header has come.
  void inspect(int from, const Frame& frame) {
    const Header& header = frame.header;
    if (header.kind >= kFailure && header.kind <= kFailure + Failure::kBackend && header.bytes <= kMostReason) {
      throw told(from, header, frame.values, std::min<size_t>(frame.done - sizeof header, header.bytes));
    }
    if (header.kind != kValues || header.number != peer(from).received || header.bytes != frame.bytes) {
      throw Failure(Failure::kMismatch, from,
                    name_of(from) + " sent a message of " + std::to_string(header.bytes) + " bytes where " +
                        name_of(rank()) + " expects " + std::to_string(frame.bytes) +
                        ": their networks, data or settings differ");
    }
  }

  // The failure that a peer tells of; the first bytes of its reason have come already.
  Failure told(int from, const Header& header, const char* text, size_t have) {
    std::string reason(text, have);
    std::string more(header.bytes - have, '\0');
    if (peer(from).socket.receive_all(more.data(), more.size(), Clock::now() + std::chrono::seconds(1))) reason += more;
    return Failure(static_cast<Failure::Kind>(header.kind - kFailure), header.number, reason);
  }

  // The connection is gone. The peer may have said why before.
  [[noreturn]] void lost(int rank, int error) {
    throw_if_aborted();
    Header header;
    const ssize_t have = recv(peer(rank).socket.descriptor(), &header, sizeof header, MSG_DONTWAIT | MSG_WAITALL);
    if (have == sizeof header && header.kind >= kFailure && header.kind <= kFailure + Failure::kBackend &&
        header.bytes <= kMostReason) {
      throw told(rank, header, "", 0);
    }
    throw Failure(Failure::kRankLost, rank,
                  name_of(rank) + " closed its connection" + (error ? ": " + system_error_text(error) : ""));
  }

  std::string late(int rank, const char* what) const {
    return name_of(rank) + " " + what + " for " + std::to_string(deadline().count()) + " ms";
  }

  std::vector<Peer> peers_;
  std::vector<char> scratch_;
};

}  // namespace

std::unique_ptr<Communicator> make_tcp(const Socket& listener, int rank, const std::vector<Address>& addresses,
                                       const std::string& key, Deadline deadline) {
  return std::make_unique<Tcp>(connect_mesh(listener, rank, addresses, key, Clock::now() + deadline), rank, deadline);
}

}  // namespace rs::collective
