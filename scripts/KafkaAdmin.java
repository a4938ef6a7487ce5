import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;

/**
 * What a cluster for tests needs, one command after the other, separated by "+":
 *
 *   topic NAME PARTITIONS REPLICAS [KEY=VALUE...]     set NAME KEY=VALUE...
 *   allow PRINCIPAL OPERATION TOPIC                   unquota PRINCIPAL
 *   quota PRINCIPAL BYTES_PER_SECOND                  leaders TOPIC   (prints the node of each partition)
 */
public class KafkaAdmin {
  public static void main(String[] args) throws Exception {
    try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", args[0]))) {
      List<String> words = new ArrayList<>();
      for (int i = 1; i <= args.length; i++) {
        if (i < args.length && !args[i].equals("+")) {
          words.add(args[i]);
        } else {
          run(admin, words);
          words.clear();
        }
      }
    }
  }

  static void run(Admin admin, List<String> w) throws Exception {
    switch (w.get(0)) {
      case "topic" -> admin.createTopics(List.of(
          new NewTopic(w.get(1), Integer.parseInt(w.get(2)), Short.parseShort(w.get(3))).configs(pairs(w, 4)))).all().get();
      case "set" -> {
        List<AlterConfigOp> operations = new ArrayList<>();
        pairs(w, 2).forEach((k, v) -> operations.add(new AlterConfigOp(new ConfigEntry(k, v), AlterConfigOp.OpType.SET)));
        admin.incrementalAlterConfigs(
            Map.of(new ConfigResource(ConfigResource.Type.TOPIC, w.get(1)), operations)).all().get();
      }
      case "allow" -> admin.createAcls(List.of(new AclBinding(
          new ResourcePattern(ResourceType.TOPIC, w.get(3), PatternType.LITERAL),
          new AccessControlEntry(w.get(1), "*", AclOperation.fromString(w.get(2)), AclPermissionType.ALLOW)))).all().get();
      case "quota" -> quota(admin, w.get(1), Double.valueOf(w.get(2)));
      case "unquota" -> quota(admin, w.get(1), null);
      case "leaders" -> admin.describeTopics(List.of(w.get(1))).allTopicNames().get().get(w.get(1)).partitions()
          .forEach(p -> System.out.println(p.leader() == null ? -1 : p.leader().id()));
      default -> throw new IllegalArgumentException("no command " + w.get(0));
    }
  }

  static void quota(Admin admin, String principal, Double rate) throws Exception {
    ClientQuotaEntity user = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, principal));
    admin.alterClientQuotas(List.of(new ClientQuotaAlteration(
        user, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", rate))))).all().get();
  }

  static Map<String, String> pairs(List<String> words, int from) {
    Map<String, String> pairs = new LinkedHashMap<>();
    for (String word : words.subList(Math.min(from, words.size()), words.size())) {
      String[] pair = word.split("=", 2);
      pairs.put(pair[0], pair[1]);
    }
    return pairs;
  }
}
