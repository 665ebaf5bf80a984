import pl.gov.mf.uslugibiznesowe.wspull.usluga._2014._01_v2_0.GetNextDocumentRequest;
import jakarta.xml.ws.BindingProvider;

/** Apache CXF and the contract of 2022: the request has a type, and the token is made because the policy asks for it. */
class Edition {
    static GetNextDocumentRequest nothingSpecial() {
        return new GetNextDocumentRequest();
    }

    static void setPassword(BindingProvider port, String login, String secret) {
        port.getRequestContext().put("ws-security.username", login);
        port.getRequestContext().put("ws-security.password", secret);
    }
}
