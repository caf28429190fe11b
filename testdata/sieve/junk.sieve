# Files what alignd marked (quarantine_as: tag) into Junk. alignd removes
# incoming fields of this name, so a mark is always alignd's own.
require ["fileinto", "mailbox"];

if header :is "X-Alignd-Disposition" "quarantine" {
    fileinto :create "Junk";
    stop;
}
